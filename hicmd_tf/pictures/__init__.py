"""Files of pictures to pixels and back; knows nothing about people, or about what pictures are for."""
