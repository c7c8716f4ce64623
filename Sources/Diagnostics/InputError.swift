/// A mistake in the user's input, as one line: where it is, what was expected, what was found, what to do.
///
/// Our own bugs are `precondition`s; everything that can go wrong with a file, a flag or a value is an `InputError`.
package struct InputError: Error, Equatable, CustomStringConvertible, Sendable {
  /// The kind of mistake; it determines the exit code (sysexits.h).
  package enum Kind: Int32, Sendable {
    /// The work itself failed: a non-finite loss, a full disk.
    case failure = 1
    /// The command line is wrong (EX_USAGE).
    case usage = 64
    /// A file or a value in it is wrong (EX_DATAERR).
    case badData = 65
    /// A file is missing or cannot be read (EX_NOINPUT).
    case missingInput = 66
  }

  package let kind: Kind
  /// The file, flag or key that is wrong, as the user wrote it.
  package let place: String
  /// What was expected, what was found and what to do.
  package let problem: String

  package var description: String {
    place.isEmpty ? messageLine(problem) : "\(messageLine(place, limit: 300)): \(messageLine(problem))"
  }

  /// The work failed for a reason that is neither the command line nor a file's contents.
  package static func failure(_ place: String, _ problem: String) -> InputError {
    InputError(kind: .failure, place: place, problem: problem)
  }

  /// The command line is wrong.
  package static func usage(_ place: String, _ problem: String) -> InputError {
    InputError(kind: .usage, place: place, problem: problem)
  }

  /// A file was read and its contents are wrong.
  package static func badData(_ place: String, _ problem: String) -> InputError {
    InputError(kind: .badData, place: place, problem: problem)
  }

  /// A file does not exist or cannot be read.
  package static func missing(_ place: String, _ problem: String) -> InputError {
    InputError(kind: .missingInput, place: place, problem: problem)
  }
}
