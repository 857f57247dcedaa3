"""Time of single kernels: small physical models of counts, a device's peaks and a family's parameters."""
