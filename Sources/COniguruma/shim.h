// Oniguruma: the regular expressions of Hugging Face tokenizers. Its settings are macros and its messages variadic, which
// Swift does not import.
#ifndef CPT_CONIGURUMA_SHIM_H
#define CPT_CONIGURUMA_SHIM_H
#include <oniguruma.h>

// To be called once, before everything else. The limits end a search that backtracks without end, or into all memory.
static inline void cpt_onig_initialize(void) {
  OnigEncoding encodings[] = {ONIG_ENCODING_UTF8};
  onig_initialize(encodings, 1);
  onig_set_retry_limit_in_match(10000000);
  onig_set_retry_limit_in_search(100000000);
  onig_set_match_stack_limit_size(4000000);
}

// Zero, or an error with its message of at most ONIG_MAX_ERROR_MESSAGE_LEN bytes.
static inline int cpt_onig_compile(OnigRegex *regex, const OnigUChar *pattern, long count, OnigUChar *message) {
  OnigErrorInfo info;
  int result = onig_new(
      regex, pattern, pattern + count, ONIG_OPTION_NONE, ONIG_ENCODING_UTF8, ONIG_SYNTAX_DEFAULT, &info);
  if (result != ONIG_NORMAL) onig_error_code_to_str(message, result, &info);
  return result;
}

// The place of the first match from `start`, with its ends in `range`; ONIG_MISMATCH, or an error with its message.
static inline int cpt_onig_search(
    OnigRegex regex, const OnigUChar *text, long count, long start, long *range, OnigUChar *message) {
  OnigRegion region;
  onig_region_init(&region);
  int result = onig_search(regex, text, text + count, text + start, text + count, &region, ONIG_OPTION_NONE);
  if (result >= 0) {
    range[0] = region.beg[0];
    range[1] = region.end[0];
  } else if (result != ONIG_MISMATCH) {
    onig_error_code_to_str(message, result);
  }
  onig_region_free(&region, 0);
  return result;
}
#endif
