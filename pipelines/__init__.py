"""One thin file per MLproject entry point: parse, one library call, log."""
