import Method

extension Template: ConfigurationSection {
  static let keys: [ConfigurationKey<Template>] = [
    .pattern("input", \.input, "text around the input, which replaces {}"),
    .text("intra_separator", \.intraSeparator, "text between input and output"),
    .pattern("output", \.output, "text around the label, which replaces {}"),
    .text("inter_separator", \.interSeparator, "text between examples, where emit_inter_separator asks for it"),
    .flag(
      "emit_inter_separator", \.emitsInterSeparator, "put inter_separator after each context example (PEFT never does)"),
    .choice(
      "tokenization", \.tokenization, "\"pieces\": each fragment on its own, as PEFT; \"whole\": the example at once"),
    .flag("end_of_text", \.addsEndOfText, "put the end-of-text token after each example, as PEFT's notebook"),
    .flag("beginning_of_text", \.addsBeginningOfText, "put the beginning-of-text token before the context"),
  ]
}
