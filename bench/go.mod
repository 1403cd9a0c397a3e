module llm-research-bench

go 1.19
