"""Static check of scope coverage."""
