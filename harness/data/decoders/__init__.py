"""What reads video files: decord and PyAV, behind `harness.data.decode.open_video`."""
