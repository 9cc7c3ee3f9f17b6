"""One promotion on its way: what all stages share, and what they record of it; holds, freezes and blocks (`controls`)."""
