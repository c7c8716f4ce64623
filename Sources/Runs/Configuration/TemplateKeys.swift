import FileFormats
import Method

extension Template: ConfigurationSection {
  package static let fields: [Field<Template>] = [
    Field("input", \.input, .pattern, "text around the input, which replaces {}"),
    Field("intra_separator", \.intraSeparator, .text, "text between input and output"),
    Field("output", \.output, .pattern, "text around the label, which replaces {}"),
    Field("inter_separator", \.interSeparator, .text, "text between examples, if emit_inter_separator is true"),
    Field(
      "emit_inter_separator", \.emitsInterSeparator, .flag,
      "put inter_separator after each context example (PEFT never does)"),
    Field(
      "tokenization", \.tokenization, .choice,
      "\"pieces\": each fragment on its own, like PEFT; \"whole\": the example at once"),
    Field("end_of_text", \.addsEndOfText, .flag, "put the end-of-text token after each example, like PEFT's notebook"),
    Field("beginning_of_text", \.addsBeginningOfText, .flag, "put the beginning-of-text token before the context"),
  ]
}
