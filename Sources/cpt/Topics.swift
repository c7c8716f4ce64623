import FileFormats
import Insights
import Runs
import Tuning

/// Something `cpt help` explains.
struct Topic: Sendable {
  let name: String
  let summary: String
  /// Paragraphs; lines that begin with two spaces are shown as they are.
  let text: String
}

/// The one table of topics; the keys behind `config` come from the configuration's own table.
let topics: [Topic] = [
  Topic(
    name: "config",
    summary: "Every key of a configuration file",
    text: """
      A configuration is a JSON file; comments begin with // and end with the line.
      A dot stands for a section: training.seed is {"training": {"seed": 0}}. Paths
      are relative to the file. A key can be overridden: --set training.seed=3.

        cpt help config training                 the keys of a section
        cpt help config training.learning_rate   one key
      """),
  Topic(
    name: "method",
    summary: "What context-aware prompt tuning computes",
    text: """
      A few labelled examples are written one after another, as for in-context
      learning, and stand before every text: the context. The model is frozen. What is
      trained is a shift of each context token's embedding, so that the model gives
      the right labels: those of the training rows, and those in the context itself.

      Every token may move only within a ball around where it started. Its radius is
      opt_projection_epsilon for the texts, opt_projection_format_epsilon for the
      template, times sqrt(width / 2048), width being the size of the model's
      embeddings. Label tokens never move.

      With opt_weighted_loss_type "decay" a label in the context counts the less the
      earlier it stands: opt_loss_decay_factor to the power of its distance from the
      end.

      What comes out is the context's embeddings, a file of about a megabyte that
      Hugging Face PEFT loads as a CPT adapter. Source: arXiv 2410.17222.
      """),
  Topic(
    name: "data",
    summary: "Files of labelled rows, and how they are split",
    text: """
      Rows come as .csv (commas; fields in double quotes may hold commas and line
      breaks), .tsv (tabs; quotes are ordinary characters) or .jsonl (an object a
      line). A .csv and a .tsv begin with the names of the columns. data.text_column
      and data.label_column say which columns count; others are left alone.

        cpt init --data tickets.csv --model gpt2

      looks at a file and writes a configuration for it.

      Rows are used for four things: the context (data.context_examples), training
      (data.train_on, data.max_train_examples), validation, which decides which
      checkpoint is best, and the test. Give a file for each, or let
      data.validation_fraction and data.test_fraction take their share of the
      training file. training.seed decides every draw.

      Rows that are tokens already: {"input_ids": [...], "input_type_mask": [...]} in
      .jsonl, with cpt_token_ids and cpt_tokens_type_mask in the configuration.
      """),
  Topic(
    name: "labels",
    summary: "Which words the model predicts for the labels",
    text: """
      data.label_words gives each label of the data the text that the model predicts:

        "label_words": {"0": "negative", "1": "positive"}

      Without it labels stand as they are. Words may be several tokens long: the
      probability of a label is that of all of its tokens. Choose words that say what
      they mean: the model knows them before training.

      All words must differ, and no word's tokens may begin another's ("refund",
      "refund request"): the shorter would always win. Such words are refused.

      template.tokenization "whole" tokenizes "output: billing" as a text, so that the
      word begins with its space, as in the texts the model was trained on. "pieces",
      the default, tokenizes each part on its own, as PEFT's notebook does.
      """),
  Topic(
    name: "memory",
    summary: "What a run needs, and how to make it need less",
    text: """
        cpt train --config cpt.json --dry-run

      prints the plan of a run and its peak before anything is computed. The plan
      stays within training.memory_limit ("6GB"; 80 % of the machine's memory where
      none is given): activations are kept where they fit, else computed again in the
      backward pass, or fewer examples are computed together. The loss and the
      gradient stay those of the whole batch.

      What helps: a shorter context (data.context_examples), shorter texts
      (data.truncate_text), a smaller model. Weights stay as they are stored, mapped
      from the file; model.weights "q8" holds the blocks' matrices in 8 bits.
      """),
  Topic(
    name: "files",
    summary: "What a run writes, and where",
    text: """
      Below output_dir, or --output:

        config.json                 the resolved configuration, itself one
        metrics.jsonl               a line a step, and a line an evaluation
        best/                       the best checkpoint on validation rows
        checkpoint-N/               checkpoints that --resume goes on from
        adapter_config.json         PEFT's pair after the last step; each checkpoint
        adapter_model.safetensors   holds such a pair, too

      Files are written aside and renamed, so that a crash leaves whole ones only.
      Results go to standard output, progress and errors to standard error. - is
      standard input for predict --data and generate --prompt, and standard output
      wherever a file is written.

      NO_COLOR, TERM=dumb and COLUMNS are respected.
      """),
  Topic(
    name: "exit-codes",
    summary: "What the program's exit status means",
    text: """
        0            done
        1            the work failed: the loss is not finite, the disk is full
        64           the command line is wrong
        65           what stands in a file is wrong
        66           a file is missing or cannot be read
        129 130 143  ended by SIGHUP, SIGINT or SIGTERM; cpt train writes a checkpoint
                     first, and goes on from it with --resume

      An error is one line on standard error: where, what was expected, what was
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
let fileKeys: [FileKeys] = [
  FileKeys(title: "\(RunDirectory.metricsName): an optimiser step", keys: StepMetrics.descriptions),
  FileKeys(title: "\(RunDirectory.metricsName): an evaluation", keys: EvaluationMetrics.descriptions),
  FileKeys(title: "\(TrainerState.file): the state beside an adapter", keys: TrainerState.descriptions),
  FileKeys(title: "\(Comparison.file): what cpt compare has measured", keys: Comparison.descriptions),
  FileKeys(
    title: "\(Comparison.predictionsFile), cpt eval --predictions: a row", keys: PredictionRecord.descriptions),
  FileKeys(title: "cpt predict: what it adds to a row", keys: LabelPrediction.descriptions),
]
