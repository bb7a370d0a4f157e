"""Compiled decoders that all receivers share: protobuf scanner, key hash, UTF-8 check, bounded decompression."""
