"""Query -> entities as extreme multi-label ranking: one linear softmax over entities, on words and character trigrams of the query. The
publisher fits it on finals (finals, fitting), its arrays travel in the policy's content, a retriever reads them (softmax, retriever).
A label tree can take its place behind the same contract."""
