import FileFormats
import Method

extension Template: ConfigurationSection {
  package static let fields: [Field<Template>] = [
    Field(
      "input", \.input, .inputPattern,
      "text around the input: {} is replaced by the text column, {name} by the column of that name; with chat, the user's turn (default {})"
    ),
    Field("intra_separator", \.intraSeparator, .text, "text between input and output; not used with chat"),
    Field(
      "output", \.output, .outputPattern,
      "text around the label, which replaces {}; with chat, the assistant's turn (default {})"),
    Field("inter_separator", \.interSeparator, .text, "text between examples, if emit_inter_separator is true"),
    Field(
      "emit_inter_separator", \.emitsInterSeparator, .flag,
      "put inter_separator after each context example (PEFT never does)"),
    Field(
      "tokenization", \.tokenization, .choice,
      "\"pieces\": each fragment on its own, like PEFT; \"whole\": the example at once; not used with chat: the conversation at once"
    ),
    Field(
      "end_of_text", \.addsEndOfText, .flag,
      "put the end-of-text token after each example, like PEFT's notebook; not used with chat"),
    Field("beginning_of_text", \.addsBeginningOfText, .flag, "put the beginning-of-text token before the context"),
    Field(
      "chat", \.isChat, .flag,
      "make examples turns of a conversation, in the model's chat template; emit_inter_separator must be false"),
    Field(
      "system", \.system, .null(or: .text), "the system's text before the turns of a chat; null: the chat template's"),
  ]

  /// Checks that values agree.
  ///
  /// - Throws: `InputError.badData` naming the key.
  func validate(_ origin: FieldOrigin, labelColumn: String) throws {
    if inputPattern.fields.contains(where: { $0.utf8.elementsEqual(labelColumn.utf8) }) {
      throw origin.error("input", "takes \"\(labelColumn)\", the column of the labels (data.label_column); remove it")
    }
    if isChat {
      for (key, isSet) in [("emit_inter_separator", emitsInterSeparator), ("beginning_of_text", addsBeginningOfText)]
      where isSet {
        throw origin.error(key, "contradicts \"template.chat\": the chat template has its own; set it to false")
      }
    } else if system != nil {
      throw origin.error("system", "needs \"template.chat\"; set that to true, or this to null")
    }
  }
}
