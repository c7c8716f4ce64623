import Collectives
import Diagnostics
import Kernels
import LanguageModel
import Testing
import TestSupport

/// A model and a number of ranks with its parts.
private struct Cut: Sendable, CustomTestStringConvertible {
  let folder: String
  let ranks: Int

  var testDescription: String { "\(folder.split(separator: "/").last ?? ""), \(ranks) ranks" }

  /// Every family, as transformers and as llama.cpp store it, and every format of numbers, on as many ranks as heads at most.
  static let all: [Cut] = {
    let files = ((try? FamilyGoldens.gguf.cases) ?? []).map(\.folder)
    return (models + files).flatMap { folder in
      let most = (try? FrozenModel(path: folder))?.decoder.mostParts ?? 0
      return [2, 3, 4].filter { $0 <= most }.map { Cut(folder: folder, ranks: $0) }
    }
  }()
}

@Suite struct TensorParallelTests {
  /// Every family can be cut in two at least.
  @Test func everyFamilyIsCut() throws {
    let cut = try Set(Cut.all.map { try FrozenModel(path: $0.folder).family })
    #expect(cut == Set(Family.all.keys))
  }

  @Test(arguments: Cut.all)
  fileprivate func partsGiveTheLossAndTheGradientOfTheWhole(cut: Cut) throws {
    let tree = try Tree(cut.folder)
    let embeddings = tree.embeddings
    let whole = tree.inOnePack(embeddings)
    let found = try ThreadRanks.run(cut.ranks) { ranks in
      let model = try FrozenModel(path: cut.folder, cutOver: ranks)
      let part = Tree(model.decoder, on: ThreadTeam(threads: 1))
      let pack = part.inOnePack(embeddings), packs = part.inSeveralPacks(embeddings, retention: .inputs)
      let fits = part.embeddings == embeddings && model.decoder.weightBytes < tree.model.weightBytes
      return (pack: pack, packs: packs, fingerprint: model.fingerprint, fits: fits)
    }
    #expect(found.count == cut.ranks)
    for rank in found {
      #expect(abs(rank.pack.loss / whole.loss - 1) < 1e-6)
      #expect(abs(rank.packs.loss / whole.loss - 1) < 1e-6)
      #expect(relativeDifference(rank.pack.gradient, whole.gradient) < 1e-5)
      #expect(relativeDifference(rank.packs.gradient, whole.gradient) < 1e-5)
      #expect(rank.fits && rank.fingerprint == tree.model.fingerprint)
      // The same bits on every rank: they stay together.
      #expect(rank.pack.loss == found[0].pack.loss && rank.pack.gradient == found[0].pack.gradient)
    }
  }

  /// A part in 8 bits is the part of the matrix in 8 bits.
  @Test(arguments: ["llama", "gpt_neox", "falcon-40b"])
  func partsInEightBits(name: String) throws {
    let folder = "\(fixtures)/families/\(name)", team = ThreadTeam(threads: 1)
    let whole = Tree(try FrozenModel(path: folder, quantizing: team).decoder, on: team)
    let expected = whole.inOnePack(whole.embeddings)
    let found = try ThreadRanks.run(2) { ranks in
      let team = ThreadTeam(threads: 1)
      let part = Tree(try FrozenModel(path: folder, quantizing: team, cutOver: ranks).decoder, on: team)
      return part.inOnePack(part.embeddings)
    }
    for rank in found {
      #expect(abs(rank.loss / expected.loss - 1) < 1e-6)
      #expect(relativeDifference(rank.gradient, expected.gradient) < 1e-5)
    }
  }

  @Test func moreRanksThanHeadsAreAnError() throws {
    let folder = fixtures + "/families/llama"
    let most = try FrozenModel(path: folder).decoder.mostParts
    let messages = try ThreadRanks.run(most + 1) { ranks in
      do {
        _ = try FrozenModel(path: folder, cutOver: ranks)
        return "no error"
      } catch let error as InputError { return error.description }
    }
    for message in messages { #expect(message.contains("\(most) attention heads")) }
  }
}
