// What Swift's standard library does not say to the machine's vector unit in so many words. Its `addingProduct` goes
// lane by lane, which the optimiser does not always put together again, and without the instruction calls the C library.
#ifndef CPT_COPENBLAS_MACHINE_H
#define CPT_COPENBLAS_MACHINE_H

// Whether 24 vectors of 16 floats fit the registers.
#if defined(__AVX512F__)
#define CPT_HAS_WIDE_REGISTERS 1
#else
#define CPT_HAS_WIDE_REGISTERS 0
#endif

typedef float cpt_vector __attribute__((ext_vector_type(16)));

// a · b + c, in one instruction where the machine has one.
static inline __attribute__((always_inline)) cpt_vector cpt_multiply_add(cpt_vector a, cpt_vector b, cpt_vector c) {
#if defined(__FMA__) || defined(__aarch64__)
  return __builtin_elementwise_fma(a, b, c);
#else
  return a * b + c;
#endif
}

#endif
