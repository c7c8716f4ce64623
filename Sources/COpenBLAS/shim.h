// The C interfaces of OpenBLAS: matrix products (CBLAS) and linear algebra (LAPACKE).
// Debian's OpenBLAS exports no LAPACKE_* symbols, hence the second library in the module map.
#ifndef CPT_COPENBLAS_SHIM_H
#define CPT_COPENBLAS_SHIM_H
#include <cblas.h>
#include <lapacke.h>
#endif
