"""The page in Spotlight: its frame, its layout, and starting and stopping Spotlight."""
