//! Access rules: conditions, compiled matchers, evaluation, explanation
