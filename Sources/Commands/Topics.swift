import FileFormats
import Insights
import Runs
import Tuning

/// A subject that `cpt help` explains.
struct Topic: Sendable {
  /// The word after `cpt help`.
  let name: String
  /// One line for the list of topics.
  let summary: String
  /// Paragraphs; lines that begin with two spaces keep their layout.
  let text: String
}

/// The table of topics; the configuration's own table adds the keys to `config`.
let topics: [Topic] = [
  Topic(
    name: "config",
    summary: "Every key of a configuration file",
    text: """
      A configuration is a JSON file; // begins a comment that ends with the line.
      A dot separates section and key: training.seed is {"training": {"seed": 0}}.
      Paths are relative to the file. --set training.seed=3 overrides a key.

        cpt help config training                 the keys of a section
        cpt help config training.learning_rate   one key
      """),
  Topic(
    name: "method",
    summary: "What context-aware prompt tuning computes",
    text: """
      A few labelled examples form the context, which precedes every text, as in
      in-context learning. The model is frozen. Training shifts the embedding of each
      context token so that the model gives the right labels, both those of the
      training rows and those in the context.

      Every token stays within a ball around its initial embedding. The radius is
      opt_projection_epsilon for the texts and opt_projection_format_epsilon for the
      template, times sqrt(width / 2048), where width is the size of the model's
      embeddings. Label tokens never move.

      With opt_weighted_loss_type "decay", earlier labels in the context count less:
      the weight is opt_loss_decay_factor to the power of the distance from the end.

      The result is the context's embeddings, a file of about a megabyte that Hugging
      Face PEFT loads as a CPT adapter. Source: arXiv 2410.17222.
      """),
  Topic(
    name: "data",
    summary: "Files of labelled rows, and how they are split",
    text: """
      The rows are in a .csv (commas; fields in double quotes may contain commas and
      line breaks), a .tsv (tabs; quotes are ordinary characters) or a .jsonl file
      (one object per line). The first line of a .csv or .tsv names the columns.
      data.text_column and data.label_column select two of them; others are ignored,
      unless template.input names them: "Title: {title}\\nBody: {body}".

        cpt init --data tickets.csv --model gpt2

      analyses a file and writes a configuration for it.

      Rows have four uses: the context (data.context_examples), training
      (data.train_on, data.max_train_examples), validation, which selects the best
      checkpoint, and the test. Give a file for each use, or let
      data.validation_fraction and data.test_fraction split the training file,
      each label evenly and equal texts together. training.seed determines every
      random choice.

      Rows may also be tokens: {"input_ids": [...], "input_type_mask": [...]} in
      .jsonl, with cpt_token_ids and cpt_tokens_type_mask in the configuration.
      """),
  Topic(
    name: "labels",
    summary: "Which words the model predicts for the labels",
    text: """
      data.label_words maps each label of the data to the words that the model
      predicts:

        "label_words": {"0": "negative", "1": "positive"}

      By default, a label is its own words. Words may have several tokens: the
      probability of a label is the product over its tokens. Choose words whose
      meaning the model knows before training.

      Labels with the same word are one class, named by the first of them. The
      tokens of a word must not be a prefix of another's ("refund", "refund
      request"): the shorter would always win. This is an error.

      template.tokenization "whole" tokenizes "output: billing" as one text, so that
      the word begins with its space, as in the model's training texts. "pieces", the
      default, tokenizes each part separately, as PEFT's notebook does.
      """),
  Topic(
    name: "memory",
    summary: "How much memory a run needs, and how to reduce it",
    text: """
        cpt train --config cpt.json --dry-run

      prints the plan of a run and its peak memory without computing anything. The
      plan stays within training.memory_limit ("6GB"; default: 80 % of the machine's
      memory). Activations are kept if they fit. Otherwise they are recomputed in the
      backward pass, or fewer examples are computed together. The loss and the
      gradient are those of the whole batch in every plan.

      To reduce memory, use a shorter context (data.context_examples), shorter texts
      (data.truncate_text) or a smaller model. Weights keep their stored type and are
      mapped from the file; model.weights "q8" stores the blocks' matrices in 8 bits.
      """),
  Topic(
    name: "files",
    summary: "What a run writes, and where",
    text: """
      In output_dir, or in --output:

        config.json                 the resolved configuration, with all defaults
        metrics.jsonl               one line per step and per evaluation
        evaluations/                what cpt eval found, which cpt report uses while
                                    it fits the prompt, the rows and the model
        cpt.lock                    locked while a process trains here
        best/                       the best checkpoint on validation rows
        checkpoint-N/               checkpoints; --resume continues from the newest
        adapter_config.json         PEFT's pair after the last step; each checkpoint
        adapter_model.safetensors   contains such a pair, too

      Files are written under a temporary name and then renamed, so that a crash
      leaves no partial file. Results go to standard output, progress and errors to
      standard error. "-" means standard input in --config, predict --data and
      generate --prompt, and standard output wherever a file is written. Paths in a
      configuration from standard input are relative to the current folder.

      NO_COLOR, TERM=dumb and COLUMNS are respected.
      """),
  Topic(
    name: "exit-codes",
    summary: "What the program's exit status means",
    text: """
        0            success
        1            the work failed: the loss is not finite, the disk is full
        2            cpt eval: the accuracy is below --fail-under
        64           the command line is wrong
        65           the contents of a file are wrong
        66           a file is missing or cannot be read
        129 130 143  ended by SIGHUP, SIGINT or SIGTERM; cpt train and cpt compare
                     write a checkpoint first, and --resume continues from it;
                     cpt predict keeps the rows done in FILE.partial

      An error is one line on standard error: the place, what was expected, what was
      found, what to do.
      """),
]

/// The keys of the objects in a file that a command writes.
struct FileKeys: Sendable {
  /// The file and what an object of it is.
  let title: String
  let keys: [FieldDescription]
}

/// The one table of files with documented keys; the keys come from the tables that read and write them.
let fileKeys: [FileKeys] =
  [
    FileKeys(title: "\(RunDirectory.metricsName): an optimiser step", keys: StepMetrics.descriptions),
    FileKeys(title: "\(RunDirectory.metricsName): an evaluation", keys: EvaluationMetrics.descriptions),
    FileKeys(title: "\(TrainerState.file): the state beside an adapter", keys: TrainerState.descriptions),
    FileKeys(title: "a study: what cpt compare --study combines", keys: Study.descriptions),
    FileKeys(title: "\(Comparison.file): what cpt compare has measured", keys: Comparison.descriptions),
    FileKeys(title: "\(ComparisonTimes.file): how long its cells took", keys: ComparisonTimes.descriptions),
    FileKeys(title: "evaluations/*.json: what cpt eval keeps", keys: KeptEvaluation.descriptions),
    FileKeys(
      title: "\(Comparison.predictionsFile), evaluations/*.jsonl, eval --predictions: a row",
      keys: PredictionRecord.descriptions),
    FileKeys(title: "cpt predict: what it adds to a row", keys: LabelPrediction.descriptions),
  ]
  + ProgressEvent.descriptions.map { event in
    FileKeys(title: "--progress json: event \"\(event.name)\", \(event.meaning)", keys: event.keys)
  }
