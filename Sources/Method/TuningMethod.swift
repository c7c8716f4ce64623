import Diagnostics
import Tokenization

/// The trained part of the prompt: the paper's method and its baselines, all with one engine.
///
/// They differ in the context's tokens, their types and their balls; everything else is the same. A classifier head is
/// the exception.
package enum TuningMethod: String, CaseIterable, Sendable {
  /// Context-aware prompt tuning: the embeddings of examples, each in its ball.
  case cpt
  /// In-context learning: the same examples, nothing trained.
  case icl
  /// Prompt tuning (Lester et al. 2021, arXiv 2104.08691): virtual tokens without a ball, no examples.
  case promptTuning = "prompt_tuning"
  /// Instruction prompt tuning (Singhal et al. 2022, arXiv 2212.13138): virtual tokens before fixed examples.
  case instructionPromptTuning = "instruction_prompt_tuning"
  /// A linear classifier on the frozen model's hidden states; nothing of the prompt is trained.
  case head

  /// The name in tables.
  package var abbreviation: String {
    switch self {
    case .cpt: "CPT"
    case .icl: "ICL"
    case .promptTuning: "PT"
    case .instructionPromptTuning: "IPT"
    case .head: "Head"
    }
  }

  /// The abbreviation of a method of this name, or the name itself: comparisons have methods of their own names.
  package static func abbreviation(of name: String) -> String { TuningMethod(rawValue: name)?.abbreviation ?? name }

  /// Whether virtual tokens are trained instead of the examples' tokens.
  package var trainsVirtualTokens: Bool { self == .promptTuning || self == .instructionPromptTuning }

  /// Whether the prompt is optimised, step by step.
  package var takesSteps: Bool { self != .icl && self != .head }
}

/// The `prompt_tuning` section, with PEFT's names: the virtual tokens of methods that have them.
package struct PromptTuningConfiguration: Sendable, Equatable {
  /// The initialisation of virtual tokens.
  package enum Initialization: String, CaseIterable, Sendable {
    /// From tokens of the vocabulary drawn by the seed, like PEFT's `SAMPLE_VOCAB`.
    case random
    /// From the tokens of a text, truncated or repeated to their number, like PEFT's `TEXT`.
    case text
  }

  package var virtualTokens = 20
  package var initialization = Initialization.random
  package var text: String?
  /// Radius of the virtual tokens' balls, like ``ProjectionRadii``; nil: they have none.
  package var projectionEpsilon: Double?

  package init() {}
}

extension PromptTuningConfiguration {
  /// The tokens whose embeddings initialise the virtual tokens.
  ///
  /// - Throws: `InputError.badData` for more tokens than the model has positions, for a text without a tokenizer, or
  ///   without tokens.
  package func tokens(
    vocabularySize: Int, maximumPositions: Int, tokenizer: Tokenizer?, seed: Int
  ) throws -> [Int] {
    guard virtualTokens < maximumPositions else {
      throw InputError.badData(
        "prompt_tuning.num_virtual_tokens",
        "is \(virtualTokens), the model has \(maximumPositions) positions; use fewer")
    }
    switch initialization {
    case .random:
      var generator = SeededGenerator(seed: seed, .virtualTokens)
      return (0..<virtualTokens).map { _ in Int.random(in: 0..<vocabularySize, using: &generator) }
    case .text:
      guard let tokenizer else {
        throw InputError.missing(
          "prompt_tuning.prompt_tuning_init_text", "needs a tokenizer; set tokenizer_name_or_path")
      }
      guard let text else { preconditionFailure("the configuration was checked: \"text\" has a text") }
      let ids = try tokenizer.encode(text).map(\.id)
      guard !ids.isEmpty else {
        throw InputError.badData("prompt_tuning.prompt_tuning_init_text", "has no tokens; give a longer text")
      }
      return (0..<virtualTokens).map { ids[$0 % ids.count] }
    }
  }
}
