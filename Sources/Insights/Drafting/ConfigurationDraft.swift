import Diagnostics
import FileFormats
import Method
import Runs
import System

/// A first configuration for a data file: every choice with its reason, as comments.
///
/// Of a few templates, the draft takes the first one unless the untrained context gives the labels of a few rows a clearly
/// higher probability under another.
///
/// The context is a few examples of each label, as many as fit the model's window, or a small window if it is unknown.
/// The learning rate follows from the model's width.
package struct ConfigurationDraft: Sendable {
  package let data: DataSurvey
  package let model: ModelSurvey?
  package let template: Template
  /// The word to predict for each label, most frequent label first.
  package let labelWords: [LabelWord]
  /// Hints for the user to check before training.
  package let notes: [String]
  private let entries: [Entry]

  /// A key with its value or the entries of a section, and the reason.
  private struct Entry: Sendable {
    enum Content: Sendable {
      case value(JSON)
      case section([Entry])
    }

    let key: String
    let content: Content
    let comment: String

    init(_ key: String, _ value: JSON, _ comment: String = "") {
      self.key = key
      content = .value(value)
      self.comment = comment
    }

    init(_ key: String, _ entries: [Entry]) {
      self.key = key
      content = .section(entries)
      comment = ""
    }
  }

  /// Chooses settings.
  ///
  /// - Parameters:
  ///   - data: the training file.
  ///   - siblings: files with validation and test rows, if any.
  ///   - model: the model to tune for; nil: unknown.
  ///   - template: one of ``templates(data:model:)``; nil: the first.
  ///   - output: the folder for a run's results.
  ///   - path: gives the path of a file or folder as the configuration has it.
  package init(
    data: DataSurvey, siblings: SplitSiblings, model: ModelSurvey?, template: Template? = nil, output: String,
    path: (String) -> String
  ) {
    let first = Self.templates(data: data, model: model)[0], template = template ?? first
    self.data = data
    self.model = model
    self.template = template
    let words = Self.words(for: data.labels.map(\.label))
    labelWords = words.words
    let sizes = DraftSizes(data: data, siblings: siblings, model: model)
    notes = data.notes + siblings.notes + words.notes + sizes.notes
    let model = [
      Entry(
        "base_model_name_or_path", model.map { .string(path($0.path)) } ?? .null,
        model == nil ? "put a GGUF file or the folder of a downloaded Hugging Face model here" : "")
    ]
    let method = [
      Entry(
        "opt_weighted_loss_type", .string("decay"), "earlier labels in the context count less"),
      Entry("opt_loss_decay_factor", .number(0.95)),
      Entry(
        "opt_projection_epsilon", .number(Self.epsilon),
        "radius of a text token's ball, times sqrt(width / 2048); smaller balls held some models back"),
      Entry("opt_projection_format_epsilon", .number(Self.epsilon)),
    ]
    entries =
      model + method + [
        Entry("template", Self.entries(of: template, isFirst: template == first, self.model)),
        Entry("data", Self.files(data, siblings, sizes, path) + Self.rows(data, labelWords, words.reason, sizes)),
        Entry("training", Self.training(sizes)),
        Entry("output_dir", .string(output)),
      ]
  }

  /// Smaller balls cost accuracy (measured; "Choosing settings").
  private static let epsilon = 2.0

  /// The templates to choose from.
  package static func templates(data: DataSurvey, model: ModelSurvey?) -> [Template] {
    DraftTemplates(data: data, model: model).all
  }

  /// The first template whose loss, the mean of -log P(label) in nats over a few rows, is within 0.25 of the smallest.
  ///
  /// Over a few rows, smaller differences are mostly those of the context that happens to be drawn.
  package static func preferredTemplate(losses: [Double]) -> Int {
    let smallest = losses.filter { !$0.isNaN }.min() ?? 0
    return losses.firstIndex { $0 <= smallest + 0.25 } ?? 0
  }

  private static func entries(of template: Template, isFirst: Bool, _ model: ModelSurvey?) -> [Entry] {
    if template.isChat {
      return [
        Entry(
          "chat", .bool(true),
          "turns in the model's chat template (this model assigns the labels a higher probability this way)"),
        Entry("input", .string(template.input), "the user's turn"),
        Entry("output", .string(template.output), "the assistant's turn"),
      ]
    }
    let way =
      switch template.tokenization {
      case .whole: "a label's word begins with its space, as in the texts models learn from; \"pieces\" is PEFT's way"
      case .pieces: "each part is tokenized on its own; \"whole\" would let a label's word begin with its space"
      }
    let measured = isFirst ? "" : " (this model assigns the labels a higher probability this way)"
    var entries = [
      Entry("input", .string(template.input), "words that describe the texts and labels may help: \"Review: {}\"")
    ]
    if template.intraSeparator != Template().intraSeparator {
      entries.append(Entry("intra_separator", .string(template.intraSeparator)))
    }
    entries.append(Entry("output", .string(template.output)))
    if template.emitsInterSeparator {
      entries += [
        Entry("inter_separator", .string(template.interSeparator)),
        Entry("emit_inter_separator", .bool(true), "examples end with it"),
      ]
    }
    if !template.addsEndOfText {
      entries.append(
        Entry(
          "end_of_text", .bool(false),
          model.map { $0.hasEndOfText } ?? true
            ? "true would end each example with this token, PEFT's way" : "the model's files define no such token"))
    }
    entries.append(Entry("tokenization", .string(template.tokenization.rawValue), way + measured))
    if template.addsBeginningOfText {
      entries.append(
        Entry(
          "beginning_of_text", .bool(true), "the model was trained with this token at the start of a text"))
    }
    return entries
  }

  private static func files(
    _ data: DataSurvey, _ siblings: SplitSiblings, _ sizes: DraftSizes, _ path: (String) -> String
  ) -> [Entry] {
    func split(_ key: String, _ file: String?, _ fraction: Double?) -> [Entry] {
      if let file { return [Entry(key, .string(path(file)))] }
      return fraction.map { share in
        let rows = Int((share * Double(data.rows)).rounded())
        return [Entry("\(key)_fraction", .number(share), "\(rows) rows of the file; or set \"\(key)\" to a file")]
      } ?? []
    }
    return [Entry("train", .string(path(data.file)))]
      + split("validation", siblings.validation, sizes.validationFraction)
      + split("test", siblings.test, sizes.testFraction)
  }

  private static func rows(
    _ data: DataSurvey, _ words: [LabelWord], _ reason: String, _ sizes: DraftSizes
  ) -> [Entry] {
    var entries: [Entry] = []
    if !data.reading.hasHeader {
      entries.append(Entry("header", .bool(false), "the first line is a row, and columns have numbers"))
    }
    if data.reading.skipsBadRows {
      entries.append(Entry("skip_bad_rows", .bool(true), "rows with mistakes are reported and left out"))
    }
    entries += [
      Entry("text_column", .string(data.textColumn)), Entry("label_column", .string(data.labelColumn)),
      Entry("label_words", .object(words.map { .init($0.label, .string($0.word)) }), reason),
      Entry("context_examples", .integer(sizes.contextExamples), sizes.contextReason),
    ]
    if !sizes.isBalanced {
      entries.append(Entry("balanced_context", .bool(false), "some labels have too few rows to draw evenly"))
    }
    entries.append(Entry("train_on", .string("all"), "the context's own rows, too"))
    if let limit = sizes.trainingLimit {
      entries.append(
        Entry("max_train_examples", .integer(limit), "more rows take more time and add little"))
    }
    if let limit = sizes.validationLimit {
      entries.append(Entry("max_validation_examples", .integer(limit), "keeps evaluations during training short"))
    }
    if sizes.truncates {
      entries.append(Entry("truncate_text", .string("end"), "the longest texts do not fit the model's window"))
    }
    return entries
  }

  private static func training(_ sizes: DraftSizes) -> [Entry] {
    [
      Entry("learning_rate", .number(sizes.learningRate), sizes.learningRateReason),
      Entry("num_train_epochs", .integer(sizes.epochs), "\(sizes.steps) steps at most"),
      Entry(
        "batch_size", .integer(sizes.batchSize), "the context is computed once per step, so a batch costs little more"),
      Entry("eval_steps", .integer(sizes.evaluationSteps), "the best of these evaluations becomes best/"),
      Entry("early_stopping_patience", .integer(2), "two evaluations without a better one end the run"),
      Entry("save_steps", .integer(sizes.evaluationSteps), "--resume continues from these checkpoints"),
      Entry("save_total_limit", .integer(1)),
      Entry(
        "metric_for_best_model", .string(sizes.isUneven ? "macro_f1" : "accuracy"),
        sizes.isUneven ? "label frequencies differ a lot, and this weights all labels equally" : ""),
    ]
  }

  /// The word for each label: the label in lower case, its underscores as spaces.
  private static func words(for labels: [String]) -> (words: [LabelWord], reason: String, notes: [String]) {
    var reason = "label in the data: text the model predicts; choose words that describe the label"
    var notes: [String] = []
    func simplified(_ label: String) -> String {
      let text = label.lowercased().map { $0 == "_" || $0.isWhitespace ? " " : $0 }
      return String(text).split(separator: " ").joined(separator: " ")
    }
    var words = labels.map(simplified)
    // A finding about the rows names labels that look like one.
    if Set(words).count < words.count || words.contains("") { words = labels }
    if labels.allSatisfy({ Double($0) != nil }) {
      notes.append("labels are numbers: edit data.label_words to words the model knows, such as \"negative\"")
    }
    if !sequencesThatBeginOthers(words.map { Array($0.utf8) }).isEmpty {
      words = words.map { $0 + "." }
      reason += "; with a full stop, because no word may begin another"
    }
    return (zip(labels, words).map { LabelWord(label: $0, word: $1) }, reason, notes)
  }
}

// MARK: - Writing

extension ConfigurationDraft {
  /// The configuration as a run would read it from a file at this path.
  ///
  /// - Throws: `InputError` if values contradict each other.
  package func configuration(at path: String) throws -> Configuration {
    try Configuration(text: Array(text.utf8), file: path)
  }

  /// The configuration file: JSON with `//` comments.
  package var text: String {
    let found = "\(messageLine(lastComponent(of: data.file))): \(data.rows) rows, \(data.labels.count) labels"
    let lead = ["{", "  // Written by cpt init for \(found).", "  // cpt help config explains every key."]
    return (lead + Self.lines(entries, indent: "  ") + ["}", ""]).joined(separator: "\n")
  }

  private static func lines(_ entries: [Entry], indent: String) -> [String] {
    entries.enumerated().flatMap { index, entry in
      let comma = index == entries.count - 1 ? "" : ","
      let comment = entry.comment.isEmpty ? [] : ["\(indent)// \(entry.comment)"]
      let key = "\(indent)\(JSON.string(entry.key).compact): "
      switch entry.content {
      case .section(let inner):
        return comment + ["\(key){"] + lines(inner, indent: indent + "  ") + ["\(indent)}\(comma)"]
      case .value(let value):
        let text = value.pretty.split(separator: "\n").joined(separator: "\n" + indent)
        return comment + ["\(key)\(text)\(comma)"]
      }
    }
  }
}
