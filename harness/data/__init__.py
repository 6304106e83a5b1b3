"""Videos in the public annotation formats, from file to training batch: data sets, sampling, decoding, clips."""
