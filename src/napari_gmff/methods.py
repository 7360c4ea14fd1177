"""A methods paragraph for a paper, made from the record of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from napari_gmff.marks import is_restored
from napari_gmff.restoration_methods import DISCLOSURE, restoration_sentences

_SHAPE_FROM_FOCUS = (
    'Nayar SK, Nakagawa Y. "Shape from focus". IEEE Transactions on Pattern Analysis and '
    "Machine Intelligence 16(8):824-831, 1994."
)

_BLENDED = (
    "Fused pixels were computed from the pixels of all slices, not copied: they are not measured "
    "intensities, and there is no focus index, depth or confidence."
)

_BLEND_LIMITS = (
    "Limits: the fused image is a rendering. Its intensities are blends of focal planes, may lie "
    "outside the range of the source and hold noise of several slices, and must not be used for "
    "intensity quantification, photometry, ratio or colocalisation measurements; take such "
    "measurements from the source slices. Illumination, bleaching or magnification that changes "
    "between slices shows as halos and doubled edges."
)

_LIMITS = (
    "Limits: neighbouring pixels of the fused image may come from different focal planes, so "
    "fused intensities mix planes and must not be used for intensity quantification, "
    "photometry, ratio or colocalisation measurements; take such measurements from the source "
    "slices. Illumination, bleaching or magnification that changes between slices shows as steps "
    "in the fused image. The depth map is an estimate from focus, not a measurement of surface "
    "height: it is limited by the depth of field and the spacing of the slices, is unreliable "
    "where the specimen has little texture or is transparent, and should be read together with "
    "the confidence map."
)


def methods_text(provenance: Mapping[str, Any]) -> str:
    """Describe a run in words that can be pasted into a paper.

    Parameters
    ----------
    provenance : mapping
        Record of the run; see `napari_gmff.provenance.make_provenance`.

    Returns
    -------
    str
        Three paragraphs: the methods with numbered citations, what the result must not be used
        for, and the references. Of a restored image two more, on how a generative model changed it
        and what is to be disclosed, before the last.
    """
    references: list[str] = []
    sentences = [
        _program_sentence(provenance),
        _source_sentence(provenance),
        _engine_sentence(provenance, references),
        _input_sentence(provenance),
        _choice_sentence(provenance),
        _correction_sentence(provenance),
        _depth_sentence(provenance, references),
    ]
    methods = " ".join(sentence for sentence in sentences if sentence)
    restored = ""
    if is_restored(provenance):
        sentences = restoration_sentences(provenance, lambda paper: _cite(paper, references))
        restored = f"\n\n{' '.join(sentences)}\n\n{DISCLOSURE}"
    numbered = "\n".join(f"[{number}] {text}" for number, text in enumerate(references, start=1))
    limits = _LIMITS if provenance["pixels_copied"] else _BLEND_LIMITS
    return f"{methods}\n\n{limits}{restored}\n\nReferences\n{numbered}"


def _cite(reference: str, references: list[str]) -> str:
    if reference not in references:
        references.append(reference)
    return f"[{references.index(reference) + 1}]"


def _program_sentence(record: Mapping[str, Any]) -> str:
    date = str(record.get("date", ""))[:10]
    when = f" on {date}" if date else ""
    return (
        f"Focus stacks were fused with {record['program']} {record['version']}{when} "
        f"(device: {record['device']})."
    )


def _source_sentence(record: Mapping[str, Any]) -> str:
    source, slices = record["source"], record["slices"]
    lengths = dict(zip(source["axes"], source["shape"], strict=True))
    numbers = slices["numbers"]
    parts = [
        f"{source['name']} ({lengths['X']} × {lengths['Y']} pixels, {source['dtype']}, "
        f"fingerprint sha256 {source['fingerprint']}) was fused from {_slices(numbers)}"
    ]
    spacing = _spacing(slices["z_um"])
    if spacing:
        parts.append(spacing)
    pixel = source["voxel_size_um"][1:]
    if all(size is not None for size in pixel):
        parts.append(f"with pixels of {pixel[0]:g} µm (y) × {pixel[1]:g} µm (x)")
    region = record["parameters"].get("region")
    if region:
        (top, bottom), (left, right) = region
        parts.append(f"in the region y {top} to {bottom}, x {left} to {right}")
    return ", ".join(parts) + "."


def _slices(numbers: Sequence[int]) -> str:
    if list(numbers) == list(range(numbers[0], numbers[0] + len(numbers))):
        return f"{len(numbers)} slices (numbers {numbers[0]} to {numbers[-1]}, counted from 0)"
    listed = ", ".join(str(number) for number in numbers)
    return f"{len(numbers)} slices (numbers {listed}, counted from 0)"


def _spacing(z_um: Sequence[float] | None) -> str:
    if z_um is None or len(z_um) < 2:
        return ""
    steps = [abs(after - before) for before, after in pairwise(z_um)]
    if max(steps) - min(steps) <= 1e-3 * max(steps):
        return f"{sum(steps) / len(steps):.4g} µm apart"
    return f"unevenly spaced from {min(z_um):.4g} to {max(z_um):.4g} µm"


def _engine_sentence(record: Mapping[str, Any], references: list[str]) -> str:
    engine, weights, parameters = record["engine"], record["weights"], record["parameters"]
    described = record.get("engine_method") or f"the focus measure {engine}"
    if record.get("engine_package"):
        described += f" (engine {engine} of {record['engine_package']})"
    papers = [_cite(paper, references) for paper in record.get("references", [])]
    if papers:
        described += f" {''.join(papers)}"
    if weights:
        version = f", version {weights['version']}" if weights.get("version") else ""
        described += (
            f" with the weights {weights.get('name')}{version} (sha256 {weights.get('sha256')})"
        )
    window = ""
    if parameters.get("block_px") is not None:
        window = (
            f", in windows of {parameters['block_px']} pixels of which a margin of "
            f"{parameters.get('halo_px')} pixels served as context only"
        )
    if not record["pixels_copied"]:
        return f"Slices were weighed against each other by {described}{window}."
    return f"The focus of every slice was scored with {described}{window}."


def _input_sentence(record: Mapping[str, Any]) -> str:
    inputs = record["inputs"]
    if not inputs:
        return ""
    ranges = {tuple(entry["range"]) for entry in inputs if entry.get("range")}
    sigmas = [entry["sigma_px"] for entry in inputs if entry.get("sigma_px") is not None]
    parts = []
    if len(ranges) == 1:
        low, high = ranges.pop()
        parts.append(f"intensities from {low:g} to {high:g} were scaled to 0 to 1")
    elif ranges:
        parts.append(
            "intensities were scaled to 0 to 1 by one range for each channel and time point "
            f"(from {min(low for low, _ in ranges):g} to {max(high for _, high in ranges):g})"
        )
    if sigmas:
        parts.append(_smoothing(min(sigmas), max(sigmas)))
    return f"For the scores only, {' and '.join(parts)}." if parts else ""


def _smoothing(low: float, high: float) -> str:
    if high == 0:
        return "not smoothed"
    sigma = f"{high:.3g}" if low == high else f"{low:.3g} to {high:.3g}"
    return f"smoothed with a Gaussian of sigma {sigma} pixels"


def _choice_sentence(record: Mapping[str, Any]) -> str:
    lengths = dict(zip(record["source"]["axes"], record["source"]["shape"], strict=True))
    channels = " in every channel" if lengths.get("C", 1) > 1 or "S" in lengths else ""
    channel = record["parameters"].get("channel")
    source = ""
    if lengths.get("C", 1) > 1 and channel is not None:
        source = " of all channels combined" if channel == "combined" else f" of channel {channel}"
        if channel == "per-channel":
            return _own_choice_sentence(record)
    if not record["pixels_copied"]:
        weighed = f" Contrast{source} decided for every channel." if source else ""
        return f"{_BLENDED}{weighed}"
    return (
        f"At every pixel the slice with the highest score{source} was chosen and its intensity "
        f"copied unchanged{channels}; no fused pixel is interpolated."
    )


def _own_choice_sentence(record: Mapping[str, Any]) -> str:
    if not record["pixels_copied"]:
        return f"{_BLENDED} Each channel was fused by itself."
    return (
        "Each channel was focused by itself: at every pixel the slice with the highest score of "
        "that channel was chosen and the channel's intensity copied unchanged; no fused pixel is "
        "interpolated, and the channels of a pixel may come from different slices."
    )


def _correction_sentence(record: Mapping[str, Any]) -> str:
    corrections = record.get("corrections")
    if not corrections:
        return ""
    n_pixels, percent = corrections["n_pixels"], 100 * corrections["fraction"]
    pixels = "one pixel" if n_pixels == 1 else f"{n_pixels} pixels"
    return (
        f"The slice of {pixels} ({percent:.3g} %) was then chosen by hand; there, intensity was "
        "copied from that slice and depth is its position."
    )


def _depth_sentence(record: Mapping[str, Any], references: list[str]) -> str:
    if not record["pixels_copied"]:
        return ""
    unit = "slice number" if record["slices"]["z_um"] is None else "z position"
    sentence = f"Depth is the {unit} of the chosen slice"
    if record["slices"]["order"] == "ordered":
        sentence += (
            ", refined between slices from the scores of its neighbours "
            f"(shape from focus {_cite(_SHAPE_FROM_FOCUS, references)})"
        )
    least = record["parameters"].get("depth_min_confidence")
    if least is not None:
        sentence += f"; depth where confidence is below {least:g} was discarded"
    return sentence + "."
