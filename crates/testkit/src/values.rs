//! Values as requests have them: the same for all benchmarks.

/// Harmless values of 25 bytes, of all kinds.
pub const SHORT: [&str; 12] = [
    "kitchen_table_large_white",
    "kitchen-table-large-white",
    "en-US,en;q=0.9,de-DE;q=0.",
    "shop.example.com.products",
    "https://www.example.com/p",
    "/static/js/main.0ee71ac.j",
    "550e8400-e29b-41d4-a716-4",
    "Peter van der Berg, Essen",
    "GA1.2.742317892.171883416",
    "Mozilla/5.0 (X11; Linux x",
    "name=value&other=12345678",
    "O'Neil's house, 3rd floor",
];
