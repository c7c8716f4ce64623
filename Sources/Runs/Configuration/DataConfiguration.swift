import FileFormats
import Method

/// The uses of labelled rows.
package enum Split: String, CaseIterable, Sendable {
  case train
  case validation
  case test
}

/// The `data` section: files, columns, labels, and which rows become the context.
package struct DataConfiguration: Sendable, Equatable {
  /// Which rows of the training file are trained on.
  package enum TrainOn: String, CaseIterable, Sendable {
    /// The rows that are not in the context (PEFT's notebook).
    case rest
    /// The rows of the context themselves (the paper).
    case context
    case all
  }

  /// The part of a text that is cut if it does not fit the model.
  package enum Truncation: String, CaseIterable, Sendable {
    case end
    case start
    /// Both ends stay.
    case middle
  }

  /// The weights of labels in the loss of training.
  package enum ClassWeights: Sendable, Equatable {
    /// n / (classes × rows of the class), of the n rows trained on.
    case balanced
    /// Of each label; 1 for those that are not listed.
    case each([LabelWeight])
  }

  /// A label of the data and its weight.
  package struct LabelWeight: Sendable, Equatable {
    package let label: String
    package let weight: Double
  }

  package var train: String?
  package var validation: String?
  package var test: String?
  package var validationFraction: Double?
  package var validationFolds: Int?
  package var validationFold: Int?
  package var testFraction: Double?
  package var hasHeader = true
  package var textColumn = "text"
  /// The pattern of the template that takes the columns.
  package internal(set) var input = Template().inputPattern
  package var labelColumn = "label"
  package var labelWords: [LabelWord]?
  package var contextExamples = 10
  package var contextExamplesPerLabel: Int?
  package var isContextBalanced = true
  package var trainOn = TrainOn.rest
  package var trainExamplesPerLabel: Int?
  package var maxTrainExamples: Int?
  package var maxValidationExamples: Int?
  package var maxTestExamples: Int?
  package var truncation: Truncation?
  package var classWeights: ClassWeights?
  package var skipsBadRows = false

  /// The classes that `labelWords` describes: of the labels with one word, the first. Nil without words.
  package var classes: [LabelWord]? {
    var words: Set<ExactText> = []
    return labelWords?.filter { words.insert(ExactText($0.word)).inserted }
  }

  /// The name of the class of each label that `labelWords` lists.
  package var classNames: [ExactText: String] {
    let names = Dictionary((classes ?? []).map { (ExactText($0.word), $0.label) }) { first, _ in first }
    return Dictionary((labelWords ?? []).map { (ExactText($0.label), names[ExactText($0.word)] ?? $0.label) }) {
      first, _ in first
    }
  }

  package init() {}

  /// The rows that results are measured on: test rows, else validation rows; nil if there are neither.
  package var evaluationSplit: Split? {
    if test != nil || testFraction != nil { return .test }
    return hasValidation ? .validation : nil
  }

  /// Whether there are rows to validate on.
  package var hasValidation: Bool { validation != nil || validationFraction != nil || validationFolds != nil }
}

extension DataConfiguration: ConfigurationSection {
  package static let fields: [Field<DataConfiguration>] = [
    Field(
      "train", \.train, .null(or: .text),
      "file with training rows: .csv, .tsv, .jsonl or .json, or one of them with .gz"),
    Field("validation", \.validation, .null(or: .text), "file with validation rows"),
    Field("test", \.test, .null(or: .text), "file with test rows"),
    Field(
      "validation_fraction", \.validationFraction, .null(or: .fraction),
      "share of the training rows to validate on, drawn by the seed, each label evenly and equal texts together"),
    Field(
      "validation_folds", \.validationFolds, .null(or: .integer(from: 2)),
      "number of folds that the training rows are cut into, each label evenly and equal texts together, to validate on one of them"
    ),
    Field(
      "validation_fold", \.validationFold, .null(or: .integer(from: 0)),
      "the fold to validate on, counted from 0; null: the first"),
    Field(
      "test_fraction", \.testFraction, .null(or: .fraction),
      "share of the training rows to test on, drawn by the seed in the same way"),
    Field(
      "header", \.hasHeader, .flag,
      "whether the first line of a table names its columns; false: it is a row, and the columns are \"1\", \"2\" and so on"
    ),
    Field(
      "skip_bad_rows", \.skipsBadRows, .flag,
      "report rows that cannot be read or have no text or label, and leave them out; false: the first is an error"),
    Field("text_column", \.textColumn, .text, "column (or JSON key) of the text"),
    Field("label_column", \.labelColumn, .text, "column (or JSON key) of the label"),
    Field(
      "label_words", \.labelWords, .null(or: .labelWords),
      "word to predict for each label; labels with one word are one class, named by the first; null: the labels themselves"
    ),
    Field("context_examples", \.contextExamples, .integer(from: 0), "examples in the context"),
    Field(
      "context_examples_per_label", \.contextExamplesPerLabel, .null(or: .integer(from: 1)),
      "examples of each label in the context, in place of context_examples"),
    Field("balanced_context", \.isContextBalanced, .flag, "draw the context evenly over the labels"),
    Field(
      "train_on", \.trainOn, .choice,
      "rows trained on: those not in the context, the context's own, or all"),
    Field(
      "train_examples_per_label", \.trainExamplesPerLabel, .null(or: .integer(from: 1)),
      "labelled rows to learn from, of each label: the context and the rows trained on are among them; null: all"),
    Field("max_train_examples", \.maxTrainExamples, .null(or: .integer(from: 1)), "train on at most this many rows"),
    Field(
      "max_validation_examples", \.maxValidationExamples, .null(or: .integer(from: 1)),
      "validate on at most this many rows, spread evenly over the file"),
    Field(
      "max_test_examples", \.maxTestExamples, .null(or: .integer(from: 1)),
      "test on at most this many rows, spread evenly over the file"),
    Field(
      "truncate_text", \.truncation, .truncation,
      "the part of a text to cut if it does not fit the model: its end, its start, or its middle, which keeps both ends; false: it is an error"
    ),
    Field(
      "class_weights", \.classWeights, .null(or: .classWeights),
      "weight of each label's examples in the training loss, 1 if not listed; \"balanced\": rows / (labels * rows of the label)"
    ),
  ]

  func validate(_ origin: FieldOrigin) throws {
    for (key, file, fraction) in [
      ("validation_fraction", validation, validationFraction), ("test_fraction", test, testFraction),
    ] where file != nil && fraction != nil {
      throw origin.error(key, "contradicts \"\(origin.section)\(key.dropLast("_fraction".count))\"; give one of them")
    }
    if let folds = validationFolds {
      if validation != nil || validationFraction != nil {
        let other = validation != nil ? "validation" : "validation_fraction"
        throw origin.error("validation_folds", "contradicts \"\(origin.section)\(other)\"; give one of them")
      }
      if let fold = validationFold, fold >= folds {
        throw origin.error("validation_fold", "is \(fold), and there are \(folds) folds, counted from 0")
      }
    } else if validationFold != nil {
      throw origin.error("validation_fold", "needs \"\(origin.section)validation_folds\"")
    }
    if (validationFraction ?? 0) + (testFraction ?? 0) >= 1 {
      throw origin.error(
        "test_fraction", "and \"data.validation_fraction\" leave no training rows; their sum must be below 1")
    }
    if let labels = labelWords, labels.count > 1, let only = classes, only.count == 1 {
      throw origin.error("label_words", "gives every label the word \"\(only[0].word)\"; expected at least two words")
    }
    if textColumn == labelColumn {
      throw origin.error("label_column", "must differ from \"data.text_column\" (\"\(textColumn)\")")
    }
  }
}
