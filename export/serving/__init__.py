"""TF Serving's protocols for one machine: any SavedModel with signatures, over REST and gRPC."""
