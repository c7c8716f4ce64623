/* Labels texts with a checkpoint: classify CHECKPOINT TEXT... */
#include <stdio.h>
#include <stdlib.h>

#include "cpt.h"

int main(int argc, char **argv) {
  if (argc < 3) {
    fprintf(stderr, "usage: classify CHECKPOINT TEXT...\n");
    return 64;
  }
  char *error = NULL;
  cpt_model *model = cpt_open(argv[1], NULL, 0, &error);
  size_t texts = (size_t)argc - 2, labels = cpt_label_count(model);
  double *probabilities = model ? calloc(texts * labels, sizeof(double)) : NULL;
  if (!model || cpt_classify(model, (const char *const *)argv + 2, texts, probabilities, &error) != 0) {
    fprintf(stderr, "classify: %s\n", error);
    cpt_free(error);
    cpt_close(model);
    free(probabilities);
    return 1;
  }
  for (size_t text = 0; text < texts; text++) {
    const double *own = probabilities + text * labels;
    size_t best = 0;
    for (size_t label = 1; label < labels; label++) {
      if (own[label] > own[best]) best = label;
    }
    printf("%s\t%s\n", cpt_label(model, best), argv[2 + text]);
  }
  free(probabilities);
  cpt_close(model);
  return 0;
}
