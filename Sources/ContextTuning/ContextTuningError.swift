import Diagnostics
import System
import Tuning

/// Something that could not be done, as one line: where, what was expected, what was found, what to do.
public struct ContextTuningError: Error, Sendable, Equatable, CustomStringConvertible {
  /// The kinds of errors that callers treat differently.
  public enum Kind: Sendable {
    /// An argument, a file or a text is wrong.
    case input
    /// A file is missing or cannot be read.
    case missingFile
    /// More texts wait than ``TunedModel/Options/waitingTexts`` allows; try again later.
    case busy
    /// The deadline passed, or the task was cancelled, before the text had its turn.
    case late
    /// The work itself failed.
    case failure
  }

  public let kind: Kind
  public let description: String

  init(_ kind: Kind, _ description: String) {
    self.kind = kind
    self.description = description
  }

  /// Any error of the engine.
  package init(_ error: any Error) {
    switch error {
    case let error as ContextTuningError: self = error
    case let error as InputError:
      let kind: Kind =
        switch error.kind {
        case .usage, .badData: .input
        case .missingInput: .missingFile
        case .failure: .failure
        }
      self.init(kind, error.description)
    case is Caller.IsGone: self.init(.late, "the time for an answer was over")
    case is QueueIsFull: self.init(.busy, "too many texts wait; try again later")
    default: self.init(.failure, "\(error)")
    }
  }

  /// The same as an error of the command line.
  package var inputError: InputError {
    switch kind {
    case .input: .badData("", description)
    case .missingFile: .missing("", description)
    case .busy, .late, .failure: .failure("", description)
    }
  }

  /// Does some work of the engine.
  static func wrapping<Result>(_ work: () throws -> Result) throws -> Result {
    do { return try work() } catch { throw ContextTuningError(error) }
  }
}
