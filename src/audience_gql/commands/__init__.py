"""The commands of `audience-gql`, by what they are about. Each module adds its options to the command line and runs its commands."""
