import Diagnostics
import Kernels
import LanguageModel
import Method
import Runs
import Tokenization

/// What training has done to a prompt.
package struct PromptInspection: Sendable {
  package let prompt: TunedPrompt
  /// The step it was written after; nil where no run left it.
  package let step: Int?
  package let geometry: PromptGeometry
  package let listing: PromptListing

  /// Looks at an adapter over its model.
  ///
  /// - Parameters:
  ///   - adapter: the prompt.
  ///   - model: what it was trained over.
  ///   - tokenizer: of the model.
  ///   - neighbours: how many of the vocabulary's tokens are listed beside each.
  ///   - mostMoved: how many tokens are listed, those that moved farthest; nil: all.
  ///   - team: the threads.
  /// - Throws: `InputError.badData` when adapter and model do not fit, or for numbers that are not finite.
  package init(
    _ adapter: Adapter, over model: FrozenModel, tokenizer: Tokenizer?, neighbours: Int, mostMoved: Int?,
    team: ThreadTeam
  ) throws {
    prompt = try adapter.prompt(over: model.decoder)
    guard let geometry = PromptGeometry(prompt) else {
      throw InputError.badData(adapter.folder, "the prompt holds numbers that are not finite")
    }
    self.geometry = geometry
    step = try AdapterRecord(adapterFolder: adapter.folder)?.state.step
    listing = PromptListing(
      prompt, decoder: model.decoder, tokenizer: tokenizer, neighbours: neighbours, mostMoved: mostMoved, team: team)
  }
}
