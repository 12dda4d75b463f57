# count_tests.awk: reads the log of a suite, prints "PASSED FAILED" of its individual tests. Knows the summaries of
# ctest -V (of whose tests those made with doctest count by test case), vitest, node --test, and plain
# "N passed, M failed". Lets no failed program hide behind the test cases that passed in it.

function number_before(word,  i) {
  for (i = 2; i <= NF; ++i) if ($i == word) return $(i - 1) + 0
  return 0
}

{
  gsub(/\033\[[0-9;]*m/, "")
  gsub(/[|(),]/, " ")
}

# 7: [doctest] test cases:  12   11 passed   1 failed   0 skipped
/^[0-9]+: \[doctest\] test cases:/ {
  id = $1 + 0
  case_passed[id] = number_before("passed")
  case_failed[id] = number_before("failed")
}

# 3/9 Test #7: unit/patch ......   Passed    0.02 sec
/^ *[0-9]+\/[0-9]+ Test +#[0-9]+: / {
  id = $0
  sub(/^[^#]*#/, "", id)
  id += 0
  ok = / Passed +[0-9.]+ sec/
  if (!(id in case_passed)) { case_passed[id] = ok; case_failed[id] = !ok }
  if (!ok && case_failed[id] == 0) case_failed[id] = 1
  passed += case_passed[id]
  failed += case_failed[id]
}

#       Tests  1 failed   20 passed   2 skipped  23
/^ +Tests +[0-9]+ / { passed += number_before("passed"); failed += number_before("failed") }

# # pass 20
/^(#|ℹ) pass [0-9]+$/ { passed += $3 }
/^(#|ℹ) fail [0-9]+$/ { failed += $3 }

/^[0-9]+ passed +[0-9]+ failed$/ { passed += $1; failed += $3 }

END { print passed + 0, failed + 0 }
