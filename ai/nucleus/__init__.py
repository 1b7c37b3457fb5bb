"""The programs of the managed environment. They know nothing of the suite that keeps them up."""
