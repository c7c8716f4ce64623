import Method

/// The templates that a draft chooses from, the one to take without a model first.
///
/// On two lines, as in texts that models learn from: "Review: …", "Sentiment: …", named by the columns, with a blank
/// line between examples. On one line: "input: … output: …" with the end-of-text token between examples, PEFT's way.
/// Each tokenized whole and in pieces. As a chat, if the model has a chat template: "Review: …" and "Sentiment:" are the
/// user's turn.
struct DraftTemplates {
  let all: [Template]

  init(data: DataSurvey, model: ModelSurvey?) {
    var lines = Template()
    let text = Self.name(of: data.textColumn, otherwise: "Text")
    let label = Self.name(of: data.labelColumn, otherwise: "Label")
    lines.input = text + ": {}"
    lines.intraSeparator = "\n"
    lines.output = label + ": {}"
    lines.interSeparator = "\n\n"
    lines.emitsInterSeparator = true
    lines.addsEndOfText = false
    var oneLine = Template()
    if let model, !model.hasEndOfText {
      oneLine.addsEndOfText = false
      oneLine.emitsInterSeparator = true
    }
    var chat = Template()
    chat.isChat = true
    chat.input = "\(text): {}\n\(label):"
    chat.output = "{}"
    let texts = [lines, oneLine].flatMap { template in
      [Template.Tokenization.whole, .pieces].map { tokenization in
        var template = template
        template.tokenization = tokenization
        template.addsBeginningOfText = model?.expectsBeginningOfText ?? false
        return template
      }
    }
    all = texts + (model?.hasChatTemplate == true ? [chat] : [])
  }

  /// A column's name as a heading: "ticket_text" → "Ticket text".
  static func name(of column: String, otherwise fallback: String) -> String {
    let words = column.split { $0 == "_" || $0.isWhitespace }.joined(separator: " ")
    guard words.contains(where: \.isLetter), !words.contains(where: { $0 == "{" || $0 == "}" }), words.count <= 40,
      let first = words.first
    else {
      return fallback
    }
    return first.uppercased() + words.dropFirst()
  }
}

extension Template {
  /// The layout for the user: "two lines, whole".
  package var layout: String {
    isChat ? "chat" : "\(intraSeparator == "\n" ? "two lines" : "one line"), \(tokenization.rawValue)"
  }
}
