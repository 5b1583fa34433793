"""The signed log of every act."""
