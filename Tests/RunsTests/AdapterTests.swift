import FileFormats
import Method
import Runs
import System
import Testing
import TestSupport

@Suite struct AdapterTests {
  /// A token whose mask is 0 is left out, and so is its embedding.
  @Test func maskedTokensAreNotRead() throws {
    try withTemporaryFolder { folder in
      try writeAtomically(
        """
        {"peft_type": "CPT", "cpt_token_ids": [5, 6, 7], "cpt_mask": [1, 0, 1], "cpt_tokens_type_mask": [1, 2, 4]}
        """, to: folder + "/adapter_config.json")
      let values: [Float] = [0, 1, 2, 3, 4, 5]
      try writeAtomically(
        safetensors([FloatTensor(name: "prompt_embeddings", shape: [3, 2], values: values)]),
        to: folder + "/adapter_model.safetensors")
      let adapter = try Adapter(folder: folder)
      #expect(adapter.context.tokens == TypedTokens(ids: [5, 7], types: [1, 4]))
      #expect(adapter.embeddings == [0, 1, 4, 5])
    }
  }
}
