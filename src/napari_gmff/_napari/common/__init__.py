"""What every part of the plugin uses: threads, links, notices, words, small widgets."""
