#include "analysis/runs/run_notes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "readers/recorded/recorded_notes.h"
#include "readers/schema/datasets.h"
#include "readers/schema/run_schema.h"
#include "tests/support/temporary_directory.h"

namespace moescope {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

const std::vector<std::string> checkpoints = {"b", "a"};  // in training order

/// Remembers what it is told.
struct Listener : AnalysisListener {
  std::vector<std::string> notes, remarks;
  void note(const std::string& message) override { notes.push_back(message); }
  void remark(const std::string& message) override { remarks.push_back(message); }
};

class RunNotesTest : public testing::Test {
 protected:
  RunFile make_run(const std::vector<std::string>& known) const {
    RunFile run = RunFile::create(directory_ / "run.h5");
    run.define_dimension(raw_dataset(dataset::checkpoint), checkpoints);
    define_notes(run, known, checkpoints);
    run.flush();
    return run;
  }

  TemporaryDirectory directory_;
};

TEST_F(RunNotesTest, NotesThatAreKnownAreInTheOrderOfTrainingWhoeverToldThemFirst) {
  const std::vector<std::string> known = {"zz", "a: two", "b: one", "a: one", "b: one"};
  EXPECT_THAT(read_notes(make_run(known)), ElementsAre("b: one", "a: one", "a: two", "zz"));
  EXPECT_THAT(read_notes(make_run({"a: one", "zz", "a: two", "b: one"})),
              ElementsAre("b: one", "a: one", "a: two", "zz"));
}

TEST_F(RunNotesTest, WhatIsToldIsKeptOnceAndRemarksAreNot) {
  Listener listener;
  RunNotes notes(listener);
  notes.note("a: before");
  RunFile run = make_run(notes.told());
  notes.keep_in(run);
  notes.note("a: before");
  notes.note("later");
  notes.remark("of this process");
  EXPECT_THAT(read_notes(run), ElementsAre("a: before", "later"));
  EXPECT_THAT(listener.notes, ElementsAre("a: before", "later"));
  EXPECT_THAT(listener.remarks, ElementsAre("of this process"));
}

TEST_F(RunNotesTest, WarningsComeFirstAndHaveTheirPlaceWheneverTheyCome) {
  Listener listener;
  RunNotes notes(listener);
  RunFile run = make_run({"a: known"});
  notes.keep_in(run);
  const NoteRows rows = NoteRows::of(run);
  notes.warn(rows.of_step(0), "third");
  notes.warn(rows.of_forward(1), "second");
  notes.warn(rows.of_weights(0), "first");
  notes.warn(rows.of_weights(1), "");
  EXPECT_THAT(read_notes(run),
              ElementsAre("warning: first", "warning: second", "warning: third", "a: known"));
}

TEST_F(RunNotesTest, AnotherProcessTellsWhatTheRecordKeptAndAddsNothingTwice) {
  RunFile run = make_run({"a: known"});
  {
    Listener listener;
    RunNotes notes(listener);
    notes.keep_in(run);
    notes.note("later");
    notes.warn(NoteRows::of(run).of_weights(0), "b: bad");
  }
  Listener listener;
  RunNotes notes(listener);
  notes.note("a: known");
  notes.note("a: new since");
  notes.keep_in(run);
  EXPECT_THAT(listener.notes, ElementsAre("a: known", "a: new since", "warning: b: bad", "later"));
  EXPECT_THAT(read_notes(run), ElementsAre("warning: b: bad", "a: known", "later", "a: new since"));
}

TEST_F(RunNotesTest, WhatHasNoRoomIsCounted) {
  RunFile run = make_run({});
  for (int i = 0; i < 20; ++i) add_note(run, "note " + std::to_string(i));
  const std::vector<std::string> kept = read_notes(run);
  EXPECT_EQ(kept.front(), "note 0");
  EXPECT_EQ(kept.back(),
            std::to_string(20 - (kept.size() - 1)) + " more notes were told, for which there was no room");
}

TEST_F(RunNotesTest, ANoteThatIsTooLongEndsBetweenTwoCharacters) {
  RunFile run = make_run({});
  std::string text(note_bytes - 4, 'x');
  write_note(run, 0, text + "ößöß");
  EXPECT_EQ(read_notes(run).front(), text + "…");
  const std::string known = std::string(3000, 'y');
  EXPECT_THAT(read_notes(make_run({known})), ElementsAre(known));
}

TEST_F(RunNotesTest, ARunOfAnEarlierVersionHasNone) {
  RunFile run = RunFile::create(directory_ / "run.h5");
  EXPECT_THAT(read_notes(run), IsEmpty());
}

}  // namespace
}  // namespace moescope
