import Diagnostics
import Kernels
import LanguageModel
import Method
import Runs
import Tokenization

/// The effect of training on a prompt.
package struct PromptInspection: Sendable {
  package let prompt: TunedPrompt
  /// How its classifier was fitted; nil without one.
  package let head: ClassifierHead.Fit?
  /// The step it was written after; nil if no run wrote it.
  package let step: Int?
  package let geometry: PromptGeometry
  package let listing: PromptListing

  /// Inspects an adapter with its model.
  ///
  /// - Parameters:
  ///   - adapter: the adapter of the prompt.
  ///   - model: the model it was trained with.
  ///   - tokenizer: the model's tokenizer.
  ///   - neighbours: the number of nearest vocabulary tokens to list for each token.
  ///   - mostMoved: the number of tokens to list, those that moved farthest; nil: all.
  ///   - team: the threads.
  /// - Throws: `InputError.badData` when adapter and model do not match, or for non-finite numbers.
  package init(
    _ adapter: Adapter, over model: FrozenModel, tokenizer: Tokenizer?, neighbours: Int, mostMoved: Int?,
    team: ThreadTeam
  ) throws {
    prompt = try adapter.prompt(over: model.decoder)
    guard let geometry = PromptGeometry(prompt) else {
      throw InputError.badData(adapter.folder, "the prompt holds numbers that are not finite")
    }
    self.geometry = geometry
    head = adapter.head?.fit
    step = try AdapterRecord(adapterFolder: adapter.folder)?.state.step
    listing = PromptListing(
      prompt, decoder: model.decoder, tokenizer: tokenizer, neighbours: neighbours, mostMoved: mostMoved, team: team)
  }
}
