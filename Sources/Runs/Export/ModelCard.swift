import FileFormats
import Method
import System

/// The model card of an adapter: the README.md that the Hugging Face Hub shows, with its metadata at the top.
///
/// Source: https://huggingface.co/docs/hub/model-cards
package struct ModelCard {
  package static let file = "README.md"

  /// The kind of adapter the card describes.
  package enum Kind: Sendable {
    case cpt
    case prefixTuning
  }

  private let kind: Kind
  private let name: String
  /// The name on the Hub.
  private let baseModel: String?
  private let adapter: Adapter
  private let record: AdapterRecord?
  private let labels: [LabelWord]

  /// Makes a card.
  ///
  /// - Parameters:
  ///   - adapter: the adapter.
  ///   - kind: its storage format.
  ///   - name: its name.
  ///   - baseModel: the model's name on the Hub, if known.
  ///   - record: the run that made it, if known.
  package init(of adapter: Adapter, kind: Kind, name: String, baseModel: String?, record: AdapterRecord?) {
    self.adapter = adapter
    self.kind = kind
    self.name = name
    self.baseModel = baseModel
    self.record = record
    labels = record?.configuration.data.classes ?? []
  }

  /// The whole file.
  package var text: String {
    let parts = [introduction, use, template, training, evaluation].compactMap { $0 }
    return "---\n\(metadata)---\n\n\(parts.joined(separator: "\n\n"))\n"
  }

  private var isClassifier: Bool { !labels.isEmpty }
  private var task: String { isClassifier ? "text-classification" : "text-generation" }

  // MARK: - Metadata

  /// YAML; a JSON string is a valid YAML string.
  private var metadata: String {
    var lines = ["library_name: peft"]
    if let baseModel { lines.append("base_model: \(quoted(baseModel))") }
    lines.append("pipeline_tag: \(task)")
    lines.append("tags:")
    let ofMethod =
      record?.configuration.training.method.trainsVirtualTokens == true ? [] : ["context-aware-prompt-tuning"]
    lines += (["cpt"] + ofMethod + [kind == .cpt ? "prompt-tuning" : "prefix-tuning"]).map { "- \($0)" }
    if isClassifier { lines += ["metrics:", "- accuracy", "- f1"] }
    if isClassifier, let record, let evaluation = record.evaluation {
      let data = quoted(validationData(of: record.configuration.data))
      lines += [
        "model-index:", "- name: \(quoted(name))", "  results:", "  - task:", "      type: \(task)", "    dataset:",
        "      name: \(data)", "      type: \(data)", "      split: validation", "    metrics:",
      ]
      for (type, name, value) in [
        ("accuracy", "accuracy", evaluation.accuracy), ("f1", "macro-F1", evaluation.macroF1),
        ("loss", "mean -log P(label), nats", evaluation.loss),
      ] {
        lines += ["    - type: \(type)", "      name: \(quoted(name))", "      value: \(JSON.number(value).compact)"]
      }
    }
    return lines.map { $0 + "\n" }.joined()
  }

  /// The file the validation rows come from.
  private func validationData(of data: DataConfiguration) -> String {
    (data.validation ?? data.train).map(lastComponent) ?? "validation rows"
  }

  private func quoted(_ text: String) -> String { JSON.string(text).compact }

  // MARK: - Text

  private var introduction: String {
    let tokens = adapter.context.count
    let task = isClassifier ? "Classifies texts into \(labels.count) classes" : "Continues texts"
    let model = baseModel.map { "the frozen model [\($0)](https://huggingface.co/\($0))" } ?? "a frozen language model"
    let paragraphs = [
      "# \(name)",
      "\(task) with \(model) and a context of \(tokens) tokens.", method,
      kind == .cpt
        ? "This adapter holds the embeddings of the context."
        : "This adapter holds the keys and values that the model computes from the context's embeddings, for PEFT's "
          + "prefix tuning. It gives the same answers without computing the context.",
    ]
    return paragraphs.joined(separator: "\n\n")
  }

  /// How the context was made.
  private var method: String {
    let examples = adapter.context.exampleCount
    let content =
      examples > 1 ? "\(examples) labelled examples were" : examples == 1 ? "A labelled example was" : "A text was"
    let frozen = "The model's weights are unchanged."
    return switch record?.configuration.training.method ?? .cpt {
    case .cpt:
      "Made by Context-aware Prompt Tuning ([CPT](https://arxiv.org/abs/2410.17222)): \(content) laid out as a context, as "
        + "in in-context learning. The embeddings of its tokens were then optimised, each inside a small ball around "
        + "its start. \(frozen)"
    case .head: "A classifier head on the model's hidden states. \(frozen)"
    case .icl: "In-context learning: \(content) laid out as a context. Nothing was trained."
    case .promptTuning: "Made by prompt tuning: the embeddings of its virtual tokens were optimised. \(frozen)"
    case .instructionPromptTuning:
      "Made by instruction prompt tuning: the embeddings of virtual tokens before a fixed context were optimised. "
        + frozen
    }
  }

  private var use: String {
    let folder = adapter.configuration.baseModel.map(lastComponent) ?? "model"
    let isGGUF = adapter.configuration.baseModel.flatMap { try? GGUFModel.file(of: $0) } != nil
    let remark =
      isGGUF
      ? "put the name of this file's Hugging Face model here" : "the folder of the model the context was tuned for"
    let base = baseModel.map(quoted) ?? "\(quoted(folder))  # \(remark)"
    let opening = """
      import torch
      from peft import PeftModel
      from transformers import AutoModelForCausalLM, AutoTokenizer

      base_model = \(base)
      adapter = \(quoted(name))  # this folder, or its name on the Hub
      tokenizer = AutoTokenizer.from_pretrained(base_model)
      model = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base_model), adapter).eval()
      """
    return
      "## Use\n\n```python\n\(opening)\n\(isClassifier && !isChat ? classification : generation)\n```\(isChat ? Self.remarkOnChats : "")"
  }

  private var isChat: Bool { record?.configuration.template.isChat ?? false }

  private static let remarkOnChats =
    "\n\nThe context is a conversation in the model's chat template, and a text to label is its next turn of the user; "
    + "`cpt predict` does this."

  private var generation: String {
    """
    tokens = tokenizer("a text", return_tensors="pt", add_special_tokens=False)
    print(tokenizer.decode(model.generate(**tokens, max_new_tokens=20)[0]))
    """
  }

  /// Code that scores whole labels as `Evaluator` does.
  private var classification: String {
    let template = record?.configuration.template ?? Template()
    let output = text(of: template.outputPattern.parts), names = template.inputPattern.fields
    // What a row is: its text, or an object with several columns.
    let row = names.count == 1 ? "text" : "row"
    let columns = names.map { $0.isEmpty ? record?.configuration.data.textColumn ?? "text" : $0 }
    let sample =
      names.count == 1
      ? "\"a text\"" : JSON.object(columns.map { .init($0, .string("a text")) }).compact
    // Python for the text before the first field, each field and the text after it.
    var parts = [""], next = 0
    for part in template.inputPattern.parts {
      switch part {
      case .text(let text): parts[parts.count - 1] += text
      case .field:
        parts += [names.count == 1 ? "text" : "row[\(quoted(columns[next]))]", ""]
        next += 1
      }
    }
    func python(_ parts: [String]) -> [String] { parts.enumerated().map { $0 % 2 == 0 ? quoted($1) : $1 } }
    let pieces = (python(parts) + [quoted(template.intraSeparator), quoted(output.before)]).joined(separator: ", ")
    parts[parts.count - 1] += template.intraSeparator + output.before
    let whole = python(parts).joined(separator: " + ")
    let words = JSON.object(labels.map { .init($0.label, .string($0.word)) }).compact
    let encoding =
      template.tokenization == .pieces
      ? """
      def encode(\(row), word):
          def ids(*parts):  # each part on its own, as in training
              return [i for part in parts if part for i in tokenizer(part, add_special_tokens=False)["input_ids"]]
          before = ids(\(pieces))
          label = ids(word)
          return before + label, range(len(before), len(before) + len(label))
      """
      : """
      def encode(\(row), word):
          before = \(whole)
          found = tokenizer(before + word + \(quoted(output.after)), add_special_tokens=False, return_offsets_mapping=True)
          label = [k for k, (start, end) in enumerate(found["offset_mapping"])
                   if start < len(before + word) and (end > len(before) or start >= len(before.rstrip()))]
          return found["input_ids"], label
      """
    return """

      # Each label, and the word the model predicts for it.
      labels = \(words)

      \(encoding)

      @torch.no_grad()
      def classify(\(row)):
          scores = {}
          for label, word in labels.items():
              ids, positions = encode(\(row), word)
              tokens = torch.tensor([ids])
              logits = model(input_ids=tokens, attention_mask=torch.ones_like(tokens)).logits[0, -len(ids):]
              log_probabilities = logits.log_softmax(-1)
              scores[label] = sum(log_probabilities[k - 1, ids[k]].item() for k in positions)
          return max(scores, key=scores.get)

      print(classify(\(sample)))
      """
  }

  /// The text before and after a pattern's field.
  private func text(of parts: [TemplatePattern.Part]) -> (before: String, after: String) {
    var texts = ["", ""], place = 0
    for part in parts {
      if case .text(let text) = part { texts[place] += text } else { place = 1 }
    }
    return (texts[0], texts[1])
  }

  private var template: String? {
    guard let record else { return nil }
    let labelled = isClassifier ? ", and the word for each label" : ""
    let members: [JSON.Member] =
      [.init("template", record.configuration.template.json)]
      + (isClassifier ? [.init("label_words", .object(labels.map { .init($0.label, .string($0.word)) }))] : [])
    return "## Template\n\nHow a text becomes tokens\(labelled).\n\n```json\n\(JSON.object(members).pretty)\n```"
  }

  private var training: String? {
    guard let record else { return nil }
    let configuration = record.configuration, training = configuration.training
    let summary = "\(record.state.step) steps" + (record.state.trainingRows.map { " over \($0) rows" } ?? "")
    let trainsVirtualTokens = training.method.trainsVirtualTokens
    let settings: [(String, String)] = [
      ("tuned for", summary), ("batch", "\(training.batchSize) × \(training.accumulationSteps)"),
      ("optimiser", "\(training.optimizer.rawValue), weight decay \(training.weightDecay)"),
      ("learning rate", "\(training.learningRate), \(training.schedule.rawValue)"),
      ("gradient clipped to", training.maxGradientNorm.map { "\($0)" } ?? "no limit"),
      ("opt_projection_epsilon", trainsVirtualTokens ? "" : "\(configuration.projection.input)"),
      ("opt_projection_format_epsilon", trainsVirtualTokens ? "" : "\(configuration.projection.format)"),
      (
        "prompt_tuning.projection_epsilon",
        trainsVirtualTokens ? configuration.promptTuning.projectionEpsilon.map { "\($0)" } ?? "" : ""
      ),
      ("leave_one_out", training.leavesOneOut ? "true" : ""),
      ("context_dropout", training.contextDropout > 0 ? "\(training.contextDropout)" : ""),
      ("opt_weighted_loss_type", "\(configuration.loss.kind.rawValue), factor \(configuration.loss.decayFactor)"),
      ("seed", "\(training.seed)"),
    ]
    let table = settings.filter { !$0.1.isEmpty }.map { "| \($0.0) | \($0.1) |" }.joined(separator: "\n")
    return "## Training\n\n| | |\n| --- | --- |\n\(table)"
  }

  private var evaluation: String? {
    guard let record, let evaluation = record.evaluation else { return nil }
    let rows = record.state.validationRows.map { "\($0) rows" } ?? "rows"
    func rounded(_ value: Double) -> String { "\((value * 1e4).rounded() / 1e4)" }
    return """
      ## Evaluation

      On \(rows) of validation data, by the log-likelihood of whole labels. The run also selected its best checkpoint on
      these rows, so the numbers may be optimistic.

      | accuracy | macro-F1 | loss (mean -log P(label), nats) |
      | --- | --- | --- |
      | \(rounded(evaluation.accuracy)) | \(rounded(evaluation.macroF1)) | \(rounded(evaluation.loss)) |
      """
  }
}
