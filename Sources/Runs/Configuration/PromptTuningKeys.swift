import Method

extension PromptTuningConfiguration: ConfigurationSection {
  static let keys: [ConfigurationKey<PromptTuningConfiguration>] = [
    .integer("num_virtual_tokens", \.virtualTokens, from: 1, "virtual tokens to train"),
    .choice(
      "prompt_tuning_init", \.initialization,
      "where they start: \"random\": at tokens drawn by the seed; \"text\": at prompt_tuning_init_text"),
    .text("prompt_tuning_init_text", \.text, "text whose tokens, cut or repeated, they start at"),
  ]

  func validate(_ origin: ConfigurationOrigin) throws {
    if initialization == .text, text?.isEmpty ?? true {
      throw origin.error("prompt_tuning_init_text", "is missing; \"prompt_tuning_init\" \"text\" needs it")
    }
    if initialization == .random, text != nil {
      throw origin.error("prompt_tuning_init_text", "needs \"prompt_tuning_init\" \"text\"; set it, or remove the text")
    }
  }
}
