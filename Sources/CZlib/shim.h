// zlib: DEFLATE, for rows in gzip files.
#ifndef CPT_CZLIB_SHIM_H
#define CPT_CZLIB_SHIM_H
#include <zlib.h>
#endif
