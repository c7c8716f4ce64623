// What Swift's standard library does not say to the machine's vector unit in so many words. Its `addingProduct` goes
// lane by lane, which the optimiser does not always put together again, and without the instruction calls the C library.
#ifndef CPT_COPENBLAS_MACHINE_H
#define CPT_COPENBLAS_MACHINE_H

#if defined(__aarch64__)
#include <arm_neon.h>
#endif

// Whether 24 vectors of 16 floats fit the registers.
#if defined(__AVX512F__)
#define CPT_HAS_WIDE_REGISTERS 1
#else
#define CPT_HAS_WIDE_REGISTERS 0
#endif

// The commit that an installed program was built from; empty for a build in the working tree.
static inline const char *cpt_commit(void) {
#ifdef CPT_COMMIT
#define CPT_TEXT(x) #x
#define CPT_TEXT_OF(x) CPT_TEXT(x)
  return CPT_TEXT_OF(CPT_COMMIT);
#else
  return "";
#endif
}

// What the kernels are compiled for.
static inline const char *cpt_instruction_set(void) {
#if defined(__AVX512F__)
  return "x86-64 with AVX-512";
#elif defined(__AVX2__) && defined(__FMA__)
  return "x86-64 with AVX2";
#elif defined(__x86_64__)
  return "x86-64, any";
#elif defined(__aarch64__)
  return "aarch64 with NEON";
#else
  return "another processor";
#endif
}

typedef float cpt_vector __attribute__((ext_vector_type(16)));

// a · b + c, in one instruction where the machine has one.
static inline __attribute__((always_inline)) cpt_vector cpt_multiply_add(cpt_vector a, cpt_vector b, cpt_vector c) {
#if defined(__FMA__) || defined(__aarch64__)
  return __builtin_elementwise_fma(a, b, c);
#else
  return a * b + c;
#endif
}

typedef unsigned char cpt_bytes __attribute__((ext_vector_type(16)));
typedef signed char cpt_signed_bytes __attribute__((ext_vector_type(16)));

static inline __attribute__((always_inline)) cpt_vector cpt_floats(cpt_bytes a) {
  return __builtin_convertvector(a, cpt_vector);
}

static inline __attribute__((always_inline)) cpt_vector cpt_signed_floats(cpt_signed_bytes a) {
  return __builtin_convertvector(a, cpt_vector);
}

// table[index] lane by lane; every index is below 16.
static inline __attribute__((always_inline)) cpt_signed_bytes cpt_look_up(cpt_signed_bytes table, cpt_bytes index) {
#if defined(__SSSE3__)
  typedef char bytes __attribute__((vector_size(16)));
  return (cpt_signed_bytes)__builtin_ia32_pshufb128((bytes)table, (bytes)index);
#elif defined(__aarch64__)
  return (cpt_signed_bytes)vqtbl1q_s8((int8x16_t)table, (uint8x16_t)index);
#else
  cpt_signed_bytes found;
  for (int i = 0; i < 16; i++) found[i] = table[index[i]];
  return found;
#endif
}

#endif
