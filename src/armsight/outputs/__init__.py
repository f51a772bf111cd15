"""Where estimates go: rows, tables, overlays, viewers; each a sink (`sink.Sink`)."""
