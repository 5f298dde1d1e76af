"""From a media file to what was measured on it, without opinion."""
