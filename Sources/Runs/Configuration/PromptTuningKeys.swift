import FileFormats
import Method

extension PromptTuningConfiguration: ConfigurationSection {
  package static let fields: [Field<PromptTuningConfiguration>] = [
    Field("num_virtual_tokens", \.virtualTokens, .integer(from: 1), "virtual tokens to train"),
    Field(
      "prompt_tuning_init", \.initialization, .choice,
      "where they start: \"random\": at tokens drawn by the seed; \"text\": at prompt_tuning_init_text"),
    Field("prompt_tuning_init_text", \.text, .null(or: .text), "text whose tokens, cut or repeated, they start at"),
  ]

  func validate(_ origin: FieldOrigin) throws {
    if initialization == .text, text?.isEmpty ?? true {
      throw origin.error("prompt_tuning_init_text", "is missing; \"prompt_tuning_init\" \"text\" needs it")
    }
    if initialization == .random, text != nil {
      throw origin.error("prompt_tuning_init_text", "needs \"prompt_tuning_init\" \"text\"; set it, or remove the text")
    }
  }
}
