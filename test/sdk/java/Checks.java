import java.util.Objects;

/** Counted checks; the lines are those of python/checks.py. */
final class Checks {
    interface Call {
        void run() throws Exception;
    }

    private Checks() {
    }

    static void ok(String name, boolean condition, Object why) {
        String line = condition ? "ok " + name : "not ok " + name + ": " + why;
        line = line.replace('\n', ' ');
        System.out.println(line.length() > 1000 ? line.substring(0, 1000) : line);
    }

    static void ok(String name, boolean condition) {
        ok(name, condition, "is false");
    }

    static void equal(String name, Object got, Object want) {
        ok(name, Objects.equals(got, want), "got " + got + ", want " + want);
    }

    /** One group of checks: an exception is one failed check, not the end of the program. */
    static void section(String name, Call call) {
        try {
            call.run();
        } catch (Throwable e) {
            String at = "";
            for (StackTraceElement frame : e.getStackTrace())
                if (frame.getFileName() != null && frame.getFileName().startsWith("Emulator") && at.isEmpty())
                    at = "line " + frame.getLineNumber() + ": ";
            ok(name, false, at + e);
            e.printStackTrace();
        }
    }
}
