import Collectives
import Glibc

@inline(always)
func logarithm(_ x: Float) -> Float { logf(x) }

@inline(always)
private func exponential(_ x: Float) -> Float { expf(x) }

/// A token to score after a row: `weight · -log softmax(logits[row])[token]`.
package struct Target: Sendable, Equatable {
  package let row: Int
  package let token: Int
  package let weight: Float

  package init(row: Int, token: Int, weight: Float = 1) {
    self.row = row
    self.token = token
    self.weight = weight
  }
}

/// The score of a target from a row of logits.
package struct TargetScore: Sendable, Equatable {
  /// log softmax(logits)[token], in nats.
  package let logProbability: Float
  /// Whether no other token is more probable.
  package let isMostProbable: Bool

  /// A score that is not computed yet.
  package init() {
    self.init(logProbability: 0, isMostProbable: false)
  }

  init(logProbability: Float, isMostProbable: Bool) {
    self.logProbability = logProbability
    self.isMostProbable = isMostProbable
  }
}

/// x = log softmax(x), row by row, in place: logits become log-probabilities in nats. x: [R, V].
package func logSoftmax(_ x: Matrix, on team: ThreadTeam) {
  team.rows(.crossEntropy, of: x) { rows in
    for row in rows {
      let line = x.base + row * x.stride
      let largest = maximum(x.columns, line)
      var total: Float = 0
      for i in 0..<x.columns { total += expf(line[i] - largest) }
      let logSum = largest + logarithm(total)
      map(x.columns, line, into: line) { $0 - logSum }
    }
  }
}

/// The part of a vocabulary whose logits one of several ranks has.
package struct VocabularyPart: Sendable {
  /// The tokens of this rank's columns.
  package let tokens: Range<Int>
  /// The number of tokens of the whole vocabulary.
  package let count: Int
  package let ranks: any Communicator

  package init(tokens: Range<Int>, of count: Int, ranks: any Communicator) {
    self.tokens = tokens
    self.count = count
    self.ranks = ranks
  }

  /// The whole vocabulary.
  package init(whole count: Int) { self.init(tokens: 0..<count, of: count, ranks: SoleRank.only) }
}

/// Scores targets and, with `gradient`, replaces the logits with the gradient of Σ weight · -logProbability.
///
/// logits: [R, V], of the vocabulary's part; overwritten, by d(Σ)/d(logits) = Σ weight · (softmax - onehot) when
/// `gradient`. Several targets may share a row. With several ranks, log Σ exp is that of all their logits.
package func crossEntropy(
  _ logits: Matrix, _ targets: [Target], of part: VocabularyPart, gradient: Bool, on team: ThreadTeam
) -> [TargetScore] {
  let V = logits.columns, first = part.tokens.lowerBound
  precondition(V == part.tokens.count, "each column is a token's")
  var ofRow = [[Int]](repeating: [], count: logits.rows)
  for (index, target) in targets.enumerated() {
    precondition(0 <= target.row && target.row < logits.rows && 0 <= target.token && target.token < part.count)
    ofRow[target.row].append(index)
  }
  let groups = ofRow
  // Of each row its largest logit and Σ exp(logit - largest); of each target its logit. Then those of all ranks.
  var largest = [Float](repeating: 0, count: logits.rows), totals = largest
  var found = [Float](repeating: -.infinity, count: targets.count)
  largest.withUnsafeMutableBufferPointer { ofLargest in
    totals.withUnsafeMutableBufferPointer { ofTotals in
      found.withUnsafeMutableBufferPointer { ofFound in
        let largest = UncheckedSendable(ofLargest), totals = UncheckedSendable(ofTotals)
        let found = UncheckedSendable(ofFound)
        team.items(.crossEntropy, logits.rows, scratch: 0) { row, _ in
          let line = logits.base + row * logits.stride
          for index in groups[row] where part.tokens.contains(targets[index].token) {
            found.value[index] = line[targets[index].token - first]
          }
          largest.value[row] = maximum(V, line)
          totals.value[row] = exponentials(V, line, minus: largest.value[row], into: line)
        }
      }
    }
  }
  /// exp(this rank's largest - the largest of all ranks), by row.
  var factors = [Float](repeating: 1, count: logits.rows)
  if part.ranks.size > 1 {
    team.measured(.communication) {
      let all = part.ranks.gather(largest + totals + found), R = logits.rows
      for row in 0..<R {
        let highest = all.reduce(-Float.infinity) { max($0, $1[row]) }
        totals[row] = all.reduce(0) { $0 + $1[R + row] * exponential($1[row] - highest) }
        factors[row] = exponential(largest[row] - highest)
        largest[row] = highest
      }
      for target in found.indices { found[target] = all.reduce(-Float.infinity) { max($0, $1[2 * R + target]) } }
    }
  }
  if gradient {
    let factors = factors, totals = totals
    team.items(.crossEntropy, logits.rows, scratch: 0) { row, _ in
      let line = logits.base + row * logits.stride
      let weight = groups[row].reduce(Float(0)) { $0 + targets[$1].weight }
      let scale = weight / totals[row] * factors[row]
      map(V, line, into: line) { $0 * scale }
      for index in groups[row] where part.tokens.contains(targets[index].token) {
        line[targets[index].token - first] -= targets[index].weight
      }
    }
  }
  return targets.indices.map { index in
    let row = targets[index].row
    return TargetScore(
      logProbability: found[index] - (largest[row] + logarithm(totals[row])),
      isMostProbable: found[index] >= largest[row])
  }
}
