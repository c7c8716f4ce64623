/// The version of the program and of the library, as in semver.org.
package let version = "0.1.0"
