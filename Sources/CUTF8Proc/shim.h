// utf8proc: the normalization forms of Unicode, which Swift's standard library keeps to itself.
#ifndef CPT_CUTF8PROC_SHIM_H
#define CPT_CUTF8PROC_SHIM_H
#include <utf8proc.h>
#endif
