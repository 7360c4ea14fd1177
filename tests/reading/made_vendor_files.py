"""Small LIF and ND2 files, written byte by byte; CZI is written by pylibCZIrw itself.

Sources: Leica's "LIF file format" as liffile reads it, and the chunks of ND2 2.1 (with metadata as
XML) as nd2 reads them.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np


def write_lif(path: Path, images: Mapping[str, np.ndarray], step_m: float = 5e-7) -> Path:
    """Write a LIF of images (Z, C, Y, X), 0.1 µm wide, 0.2 µm high pixels, falling if step < 0."""
    elements, blocks = "", b""
    for number, (name, data) in enumerate(images.items()):
        elements += _lif_element(name, number, data, step_m)
        block_id = f"MemBlock_{number}".encode("utf-16-le")
        blocks += struct.pack("<IIBQBI", 0x70, 0, 0x2A, data.nbytes, 0x2A, len(block_id) // 2)
        blocks += block_id + data.tobytes()
    header = f'<LMSDataContainerHeader Version="2"><Element Name="all">{elements}</Element>'
    text = f"{header}</LMSDataContainerHeader>".encode("utf-16-le")
    start = struct.pack("<IIBI", 0x70, len(text) + 5, 0x2A, len(text) // 2)
    path.write_bytes(start + text + blocks)
    return path


def _lif_element(name: str, number: int, data: np.ndarray, step_m: float) -> str:
    n_slices, n_channels, height, width = data.shape
    size = data.itemsize
    channels = "".join(
        f'<ChannelDescription DataType="0" ChannelTag="0" Resolution="{8 * size}" Min="0" Max="1" '
        f'NameOfMeasuredQuantity="" Unit="" LUTName="{lut}" IsLUTInverted="0" '
        f'BytesInc="{index * height * width * size}" BitInc="0"/>'
        for index, lut in zip(range(n_channels), ("Green", "Red"), strict=False)
    )
    row = width * size
    axes = (
        (1, width, 1e-7 * (width - 1), size),
        (2, height, 2e-7 * (height - 1), row),
        (3, n_slices, step_m * (n_slices - 1), row * height * n_channels),
    )
    dimensions = "".join(
        f'<DimensionDescription DimID="{axis}" NumberOfElements="{count}" Origin="0" '
        f'Length="{length}" Unit="m" BytesInc="{step}" BitInc="0"/>'
        for axis, count, length, step in axes
    )
    described = (
        f"<ImageDescription><Channels>{channels}</Channels>"
        f"<Dimensions>{dimensions}</Dimensions></ImageDescription>"
    )
    return (
        f'<Children><Element Name="{name}"><Data><Image>{described}</Image></Data>'
        f'<Memory Size="{data.nbytes}" MemoryBlockID="MemBlock_{number}"/></Element></Children>'
    )


def write_nd2(
    path: Path,
    data: np.ndarray,
    *,
    step_um: float = 0.5,
    is_calibrated: bool = True,
    left_out: Sequence[int] = (),
) -> Path:
    """Write an ND2 of (P, Z, Y, X, C) uint16: positions A, B ... of slices, 0.2 µm pixels."""
    n_positions, n_slices, height, width, n_channels = data.shape
    attributes = {
        "uiWidth": width,
        "uiWidthBytes": width * n_channels * 2,
        "uiHeight": height,
        "uiComp": n_channels,
        "uiBpcInMemory": 16,
        "uiBpcSignificant": 16,
        "uiSequenceCount": n_positions * n_slices,
        "eCompression": 2,
    }
    planes = {
        f"a{index}": {
            "sDescription": f"dye {index}",
            "uiColor": 0xFF00,
            "uiCompCount": 1,
            "pFluorescentProbe": {"m_sName": "dye"},
        }
        for index in range(n_channels)
    }
    metadata = {
        "bCalibrated": is_calibrated,
        "dCalibration": 0.2,
        "sPicturePlanes": {"uiCount": n_channels, "sPlaneNew": planes},
    }
    stack = {"eType": 4, "uLoopPars": {"uiCount": n_slices, "dZStep": step_um, "iType": 0}}
    points = {f"i{n:010}": {"dPosX": 0.0, "dPosName": chr(65 + n)} for n in range(n_positions)}
    stage = {
        "eType": 2,
        "uLoopPars": {"uiCount": n_positions, "Points": points},
        "ppNextLevelEx": {"i0000000000": stack},
    }
    chunks = {
        "ImageAttributes!": _variant(attributes),
        "ImageMetadataSeq|0!": _variant(metadata),
        "ImageMetadata!": _variant(stage if n_positions > 1 else stack),
    }
    for number, plane in enumerate(data.reshape(-1, height, width, n_channels)):
        if number not in left_out:
            chunks[f"ImageDataSeq|{number}!"] = struct.pack("<d", 0) + plane.tobytes()
    body = struct.pack(
        "<IIQ32s64s", 0x0ABECEDA, 32, 64, b"ND2 FILE SIGNATURE CHUNK NAME01!", b"Ver2.1"
    )
    listed = b""
    for name, content in chunks.items():
        listed += name.encode() + struct.pack("<QQ", len(body), len(content))
        body += struct.pack("<IIQ", 0x0ABECEDA, 4072, len(content))
        body += name.encode().ljust(4072, b"\x00") + content
    end = b"ND2 CHUNK MAP SIGNATURE 0000001!" + struct.pack("<Q", len(body))
    name = b"ND2 FILEMAP SIGNATURE NAME 0001!"
    body += struct.pack("<IIQ", 0x0ABECEDA, len(name), len(listed) + len(end)) + name
    path.write_bytes(body + listed + end)
    return path


def _variant(values: Mapping[str, Any]) -> bytes:
    inner = "".join(_xml(name, value) for name, value in values.items())
    return f'<variant version="1.0"><no_name runtype="list">{inner}</no_name></variant>'.encode()


def _xml(name: str, value: Any) -> str:
    if isinstance(value, Mapping):
        inner = "".join(_xml(key, one) for key, one in value.items())
        return f'<{name} runtype="list">{inner}</{name}>'
    kinds = {bool: "bool", int: "lx_uint32", float: "double", str: "CLxStringW"}
    text = str(value).lower() if isinstance(value, bool) else value
    return f'<{name} runtype="{kinds[type(value)]}" value="{text}"/>'


def write_czi(path: Path, data: np.ndarray) -> Path:
    """Write a CZI of (S, C, Z, Y, X[, 3]): scenes of slices, 0.1 × 0.2 × 0.5 µm voxels."""
    from pylibCZIrw import czi

    n_samples = 3 if data.ndim == 6 else 1
    with czi.create_czi(str(path)) as file:
        for s, c, z in np.ndindex(data.shape[:3]):
            plane = (
                data[s, c, z] if n_samples == 1 else np.ascontiguousarray(data[s, c, z, ..., ::-1])
            )
            # A scene of its own place; a document without scenes starts below 0.
            place = {"scene": s, "location": (s * 1000, -7)} if len(data) > 1 else {}
            file.write(plane, plane={"C": c, "Z": z, "T": 0}, **place)
        names = {c: f"dye {c}" for c in range(data.shape[1])}
        file.write_metadata(
            document_name="made", channel_names=names, scale_x=1e-7, scale_y=2e-7, scale_z=5e-7
        )
    return path
