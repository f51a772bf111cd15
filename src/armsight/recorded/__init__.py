"""Recordings in, cameras out: what `armsight extrinsics` and `armsight audit` share."""
