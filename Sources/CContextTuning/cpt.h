/* cpt: classify and continue texts with a tuned model, from C and everything that calls C.
 *
 * Texts are UTF-8 and end with a zero byte. A function with a parameter `error` returns a failure as its result says, and then
 * sets *error, if error is not NULL, to one line that says what is wrong; free it with cpt_free. Any number of threads may use
 * a model at a time; texts that wait together are computed together. */
#ifndef CPT_H
#define CPT_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* An open model. */
typedef struct cpt_model cpt_model;

/* The version of the library: "0.1.0". */
const char *cpt_version(void);

/* Opens a checkpoint: a run's folder, or one in it. model: the model's folder or GGUF file, NULL for the one that the run used.
 * threads: to compute with, 0 for as many as there are cores. NULL: failure. */
cpt_model *cpt_open(const char *checkpoint, const char *model, int threads, char **error);

/* Closes a model that no other call uses any more. NULL is allowed. */
void cpt_close(cpt_model *model);

/* The number of labels. */
size_t cpt_label_count(const cpt_model *model);

/* A label, which lives as long as the model; NULL if there is none with this index. */
const char *cpt_label(const cpt_model *model, size_t index);

/* Classifies count texts. probabilities: room for count times cpt_label_count numbers; the probability of each label, text by
 * text, normalised over the labels. 0: done. -1: failure; nothing was written. */
int cpt_classify(
    cpt_model *model, const char *const *texts, size_t count, double *probabilities, char **error);

/* The most probable continuation of a prompt in the model's template, of at most max_tokens tokens; free it with cpt_free.
 * NULL: failure. */
char *cpt_complete(cpt_model *model, const char *prompt, int max_tokens, char **error);

/* Frees a text that a function above returned. NULL is allowed. */
void cpt_free(char *text);

#ifdef __cplusplus
}
#endif

#endif
